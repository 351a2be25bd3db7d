"""Tables of text experts that were graded on the same lines, and their paired differences."""

from collections.abc import Sequence

from bench._streams import interval
from selflow.text.completions import PRICE_KEYS
from selflow.text.evaluate import LineGrade, figures
from selflow.text.precision_bound import MIN_PRECISION

PEOPLE = "people"
BY_WORDS = "fish by words"
"""The rule of fish, whose line is taken word by word where it is not the whole line."""
Grades = list[dict[str, LineGrade]]
Pair = tuple[str, str]
BITS: Sequence[Pair] = (
    ("mix", "ppm"),
    ("mix", "history"),
    ("mix_base", "mix"),
    ("mix_agents", "mix_base"),
    ("shuffled twin", "mix_base"),
    ("mix_agents", "shuffled twin"),
)
KEYS: Sequence[Pair] = (
    ("mix", "fish"),
    ("mix_base", "fish"),
    (BY_WORDS, "fish"),
    ("mix", BY_WORDS),
    ("mix_base", BY_WORDS),
    ("mix_base", "mix"),
    ("mix_agents", "mix_base"),
)


def show(name: str, unit: str, groups: Sequence[Grades]) -> dict[Pair, tuple[float, float]]:
    """Print a table of every expert and the paired differences; the bounds of those in bits."""
    grades = [row for group in groups for row in group]
    names = list(grades[0])
    print(
        f"### {name}: {len(grades):,} lines of {len(groups)} {unit}, price {PRICE_KEYS}, "
        f"precision bound {MIN_PRECISION}\n"
    )
    print("| | bits/line | bits/byte | hit@1 | hit@5 | keys saved | precision when shown |")
    print("|---|---|---|---|---|---|---|")
    for expert in names:
        row = figures([line[expert] for line in grades])
        cells = [row[key] for key in row if key != "lines"]
        shown = " | ".join("" if value is None else f"{value:.3f}" for value in cells)
        print(f"| {expert} | {shown} |")
    print(f"\n| paired, 95% over {unit} | difference | interval | as a ratio |\n|---|---|---|---|")
    bounds = {}
    for one, other in BITS:
        if one in names and other in names:
            sums = [_bits(group, one, other) for group in groups]
            gain, low, high = interval(sums)
            of = sum((line[other].bits or 0.0) for line in grades) / len(grades)
            cells = f"{gain:+.2f} | {low:+.2f} to {high:+.2f} | {(of + gain) / of:.3f}"
            print(f"| bits/line, {one} less {other} | {cells} |")
            bounds[one, other] = (low, high)
    for one, other in KEYS:
        if one in names and other in names:
            gain, low, high = interval([_keys(group, one, other) for group in groups])
            keys = sum(line[other].line_bytes + 1 for line in grades)
            of = sum(line[other].keys_saved for line in grades) / keys
            cells = f"{gain:+.3f} | {low:+.3f} to {high:+.3f} | {(of + gain) / max(of, 1e-9):.2f}"
            print(f"| keys saved, {one} less {other} | {cells} |")
    print(flush=True)
    return bounds


def _bits(group: Grades, one: str, other: str) -> tuple[float, float]:
    """Sum of the differences, and lines."""
    return sum((row[one].bits or 0.0) - (row[other].bits or 0.0) for row in group), len(group)


def _keys(group: Grades, one: str, other: str) -> tuple[float, float]:
    """Sum of the differences, and keys."""
    saved = sum(row[one].keys_saved - row[other].keys_saved for row in group)
    return saved, sum(row[one].line_bytes + 1 for row in group)
