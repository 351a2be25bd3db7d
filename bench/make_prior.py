"""Make the shipped prior: ranker weights and counts of programs, from what nobody is scored on.

Run on Debian 12: python -m bench.make_prior /usr/share/doc (weights)
and: python -m bench.make_prior tldr_examples.csv.gz (programs)

File owners are the upstream ChangeLogs that Debian packages install (dates and file names; a
paragraph is a commit). They hold days, no clock times: the time of day is drawn from a seed. Shell
owners are simulated: habits shared by all, bent by each user's own, with typing errors that are
new. Only the weights are kept: 87 numbers per head of both rankers and the scale of each feature;
no name and no count.

Programs are counted in the examples of tldr-pages (columns platform, tool, description, command):
in how many families of pages (``git-add`` is of git's) an example runs them, also behind a pipe. A
count of examples would say how much there is to explain, not how many people use it. The same files
give the same bytes.
"""

import csv
import gzip
import hashlib
import io
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from selflow.core.shell_line import program_of
from selflow.core.steps import Step
from selflow.predict.packing import Packed, pack_array, unpack_array
from selflow.predict.predictor import Predictor
from selflow.predict.prior import PRIOR_FILE, Prior, encode_prior
from selflow.predict.shared_counts import SHARED_FILE, encode_counts

SEED = 20_260
CHANGELOGS = {  # the package whose changelog.gz it is, and the sha256 of that file
    "strace": "e5eea37745d82e62f0d28057501040b1255d1aa93565d67d15339326db75aad5",
    "gpg": "ed6b62ec711d20e2828aaafaf2a711449a7da8fcb87c1d44230da88201acbbd1",
    "wget": "4d3ffa3ae13c59858d534b3b50aea1a5118211eb9cbb3787d301a439ef518df0",
    "nettle-dev": "c52ca24b8d234f5e6111d2403ce102cc6796fa7fe29adc7590d207a617cbb3d6",
    "findutils": "d438474ced36fd53095dc5e3b4ab75f15924007d8ee1e1cbf77320f416e8588d",
    "tar": "4c26bf1e4be8f817556525f7a91ada54f842786befbdadaeedb7970061806c76",
    "libgcrypt20": "855ac3419dd9217e01d6691e898dbcd3eb381c218b0d46006ebd996c09a61cdc",
    "libgmp10": "c7b000009091b839734e91fec0783419d13e9de27fb9fe457e2643e42d18f875",
}
PAGES_SHA256 = "c07544454e3196054e2182c67e5f26862cc12bdba7b452ee24eec5e8974c6161"
PAGES_NOTE = (
    "Counted in tldr-pages (https://github.com/tldr-pages/tldr, commit 08e345f42639, "
    "pages/common and pages/linux), "
    "by the tldr-pages contributors, CC BY 4.0 "
    "(https://creativecommons.org/licenses/by/4.0/). Changed: only the names "
    "of programs were taken, with the number of families of pages that run them."
)
SHELL_GROUPS = 2
MAX_STEPS = 2_500
_HEADER = re.compile(r"(\d{4}-\d\d-\d\d)\s+\S")
_BULLET = re.compile(r"\s+\* ([^:(\[<]+)")
_PLACEHOLDER = re.compile(r"\{\{.*?\}\}")
_NEXT_COMMAND = re.compile(r"\|\||&&|[|;&]|\$\(")
_GRAMMAR = frozenset(
    ("do", "done", "if", "then", "else", "fi", "while", "for", "in", "case", "esac", "[", "[[")
)
_FILE = re.compile(
    r"[A-Za-z0-9_+./-]*[./][A-Za-z0-9_+./-]+|[A-Z][A-Za-z]+file|NEWS|README|THANKS|AUTHORS|TODO"
)


def changelog_steps(text: str, rng: np.random.Generator) -> list[Step]:
    """The latest commits of a ChangeLog (newest first in the file), oldest first, at made-up times
    of their day.
    """
    commits: list[tuple[str, tuple[str, ...]]] = []
    day, files = "", dict[str, None]()
    for line in [*text.splitlines(), ""]:
        header = _HEADER.match(line)
        bullet = _BULLET.match(line)
        if header or not line.strip():
            if files and day:
                commits.append((day, tuple(sorted(files))))
            files = {}
            day = header[1] if header else day
        elif bullet:
            names = (name.strip() for name in bullet[1].split(","))
            files.update(dict.fromkeys(name for name in names if _FILE.fullmatch(name)))
    made: list[Step] = []
    last, ts_us = "", 0
    for day, names in reversed(commits[:MAX_STEPS]):
        morning = datetime.fromisoformat(day).replace(tzinfo=UTC, hour=9)
        pause_us = int(rng.lognormal(7.5, 1.3) * 1e6)
        ts_us = (
            ts_us + pause_us
            if day == last
            else max(ts_us, int(morning.timestamp()) * 1_000_000) + pause_us
        )
        last = day
        made.append(Step(ts_us, names))
    return made


def shell_steps(rng: np.random.Generator, users: int) -> list[Step]:
    """Commands of made-up people."""
    words = [f"cmd{i}" for i in range(60)]
    popular = rng.dirichlet(np.full(len(words), 0.15))
    shared = 0.8 * np.array([rng.dirichlet(popular * 8 + 1e-3) for _ in words]) + 0.2 * np.eye(
        len(words)
    )
    made: list[Step] = []
    for user in range(users):
        own = rng.dirichlet(popular * 6 + 1e-3)
        bend, slip, stay = rng.uniform(0.1, 0.5), rng.uniform(0.01, 0.08), rng.uniform(0.0, 0.4)
        state = int(rng.choice(len(words), p=popular))
        ts_us = (1_600_000_000 + int(rng.integers(0, 86_400))) * 1_000_000
        for _ in range(MAX_STEPS // users):
            ts_us += int(rng.lognormal(3.0, 1.3) * 1e6)
            if rng.random() > stay:
                state = int(rng.choice(len(words), p=(1 - bend) * shared[state] + bend * own))
            label = (
                words[state] if rng.random() > slip else f"{words[state]}{rng.integers(0, 10_000)}"
            )
            made.append(Step(ts_us, (label,), f"user{user}"))
    return sorted(made, key=lambda step: step.ts_us)


def owners(folder: Path) -> list[tuple[str, list[Step], bool]]:
    """(name, steps, whether it is several users), the files checked against their hashes."""
    made = []
    seeds = iter(np.random.SeedSequence(SEED).spawn(len(CHANGELOGS) + SHELL_GROUPS))
    for package, digest in CHANGELOGS.items():
        raw = gzip.decompress((folder / package / "changelog.gz").read_bytes())
        found = hashlib.sha256(raw).hexdigest()
        if found != digest:
            print(
                f"{package}: another version of its changelog; the prior will differ",
                file=sys.stderr,
            )
        made.append(
            (
                package,
                changelog_steps(raw.decode(errors="replace"), np.random.default_rng(next(seeds))),
                False,
            )
        )
        print(package, found, file=sys.stderr)
    for group in range(SHELL_GROUPS):
        made.insert(
            3 + 4 * group,
            (f"shell{group}", shell_steps(np.random.default_rng(next(seeds)), 20), True),
        )
    return made


def learn_prior(folder: Path) -> Prior:
    """Rankers go from owner to owner, counts start empty each time; the prior is the mean of what
    each left behind.
    """
    prior: Prior | None = None
    left: list[Prior] = []
    for name, steps, is_shared in owners(folder):
        predictor = Predictor(is_shared=is_shared, prior=prior)
        hits = [predictor.learn(step).hit_at_1 for step in steps]
        prior = predictor.as_prior()
        left.append(prior)
        print(f"{name}: {len(steps):,} steps, hit@1 {sum(hits) / len(hits):.3f}", file=sys.stderr)
    return Prior(
        _mean([p.rankers for p in left]),
        _mean_scales([p.inputs for p in left]),
        _mean([p.outside for p in left]),
        _mean_scales([p.outside_inputs for p in left]),
    )


def _mean(arrays: list[Packed]) -> Packed:
    return pack_array(np.mean([unpack_array(array) for array in arrays], axis=0))


def _mean_scales(inputs: list[Packed]) -> Packed:
    means, variances = (_mean([state[i] for state in inputs]) for i in (0, 1))
    return [means, variances, inputs[-1][2]]


def count_programs(examples: Iterable[tuple[str, str]]) -> dict[str, int]:
    """By program that has a page: families of pages in which a command runs it. ``examples``:
    (page, command).
    """
    # A page that only says "see that page" counts no command
    kept = [(page, command) for page, command in examples if not command.startswith("tldr ")]
    pages = {page for page, _ in kept} - _GRAMMAR
    families = defaultdict[str, set[str]](set)
    for page, command in kept:
        for part in _NEXT_COMMAND.split(_PLACEHOLDER.sub("X", command)):
            families[program_of(part)].add(page.partition("-")[0])
    return {program: len(found) for program, found in families.items() if program in pages}


def programs_file(path: Path) -> bytes:
    """The counts as they ship."""
    raw = path.read_bytes()
    if hashlib.sha256(raw).hexdigest() != PAGES_SHA256:
        print(f"{path.name}: other pages; the counts will differ", file=sys.stderr)
    rows = csv.DictReader(io.StringIO(gzip.decompress(raw).decode(), newline=""))
    return encode_counts(count_programs((row["tool"], row["command"]) for row in rows), PAGES_NOTE)


def main() -> None:
    """Write a part of the prior beside the code that loads it."""
    path = Path(sys.argv[1])
    name = PRIOR_FILE if path.is_dir() else SHARED_FILE
    data = encode_prior(learn_prior(path)) if path.is_dir() else programs_file(path)
    (Path(__file__).parent.parent / "selflow" / "predict" / name).write_bytes(data)
    print(
        json.dumps({"file": name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()})
    )


if __name__ == "__main__":
    main()
