"""One agent for all messages of an author, or one for each kind: which predicts the next better?

Kinds are the top folders of the first changed path; what is not among the most common is one more.
Both arms are the mix with the base, without an adapter; each message is judged before it is
learned, by the agent of all and by that of its kind, which knows the kind alone. Intervals are 95%
over blocks of 20 messages drawn anew. An argument names the number of messages. Ends with 1 if
agents of kinds are better: then one for all is the wrong choice.
"""

import sys
from collections import Counter
from itertools import islice

from bench._streams import interval, require
from bench.messages import BLOCK, MESSAGES, message_rows
from selflow.text.agent import mix_with
from selflow.text.byte_model import shipped_base
from selflow.text.lines import line_bits

COUNT, MOST = 300, 4


def main() -> int:
    """Print the table; 1 if agents of kinds are better."""
    require([MESSAGES])
    count = int(sys.argv[1]) if len(sys.argv) > 1 else COUNT
    rows = list(islice(sorted(message_rows()), count))
    tops = [context.split(b"\n")[0].rpartition(b"/")[0].split(b"/")[0] for _, _, context, _ in rows]
    common = [top for top, _ in Counter(tops).most_common(MOST)]
    model = shipped_base()
    arms = {top: mix_with(model) for top in [*common, None]}
    whole, gains = mix_with(model), []
    for (_, line, context, _), top in zip(rows, tops, strict=True):
        kind = arms[top if top in common else None]
        bits = []
        for arm in (kind, whole):
            arm.read_ahead(line, context)
            bits.append(line_bits(arm.start(context), line))
            arm.learn(line, context)
        gains.append(bits[0] - bits[1])
    blocks = [gains[start : start + BLOCK] for start in range(0, count, BLOCK)]
    gain, low, high = interval([(sum(block), len(block)) for block in blocks])
    sizes = ", ".join(str(tops.count(top)) for top in common)
    print(
        f"{count} messages of {len(arms)} kinds, the largest of {sizes} messages. Bits a message,"
    )
    print(f"an agent of each kind less one for all: {gain:+.2f} ({low:+.2f} to {high:+.2f}).")
    return int(high < 0.0)


if __name__ == "__main__":
    sys.exit(main())
