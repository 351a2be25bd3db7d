"""How much of a suggestion is left in what the owner made of it."""


def kept_share(suggested: str, line: str) -> float:
    """The share of a suggestion's characters that stand at the beginning and the end of a line.

    Returns:
        In [0, 1]; 1 for the suggestion itself. Cost: O(len(suggested)).
    """
    shorter = min(len(suggested), len(line))
    head = next((i for i in range(shorter) if suggested[i] != line[i]), shorter)
    left = shorter - head
    tail = next((i for i in range(left) if suggested[-1 - i] != line[-1 - i]), left)
    return (head + tail) / max(1, len(suggested))
