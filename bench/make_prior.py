"""Make the shipped prior: ranker weights learned on streams that nobody is scored on.

Run on Debian 12: python -m bench.make_prior /usr/share/doc

File owners are the upstream ChangeLogs that Debian packages install (dates and file names; a paragraph is a commit).
They hold days, no clock times: the time of day is drawn from a seed. Shell owners are simulated: habits shared by all,
bent by each user's own, with typing errors that are new. Only the weights are kept: 87 numbers per head and the scale
of each feature; no name and no count. The same files give the same bytes.
"""

import gzip
import hashlib
import json
import re
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from selflow.core.steps import Step
from selflow.predict.packing import pack_array, unpack_array
from selflow.predict.predictor import Predictor
from selflow.predict.prior import PRIOR_FILE, Prior, encode_prior

SEED = 20_260
CHANGELOGS = {  # the package whose changelog.gz it is, and the sha256 of that file
    "strace": "",
    "gpg": "",
    "wget": "",
    "nettle-dev": "",
    "findutils": "",
    "tar": "",
    "libgcrypt20": "",
    "libgmp10": "",
}
SHELL_GROUPS = 2
MAX_STEPS = 2_500
_HEADER = re.compile(r"(\d{4}-\d\d-\d\d)\s+\S")
_BULLET = re.compile(r"\s+\* ([^:(\[<]+)")
_FILE = re.compile(r"[A-Za-z0-9_+./-]*[./][A-Za-z0-9_+./-]+|[A-Z][A-Za-z]+file|NEWS|README|THANKS|AUTHORS|TODO")


def changelog_steps(text: str, rng: np.random.Generator) -> list[Step]:
    """The latest commits of a ChangeLog (newest first in the file), oldest first, at made-up times of their day."""
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
        ts_us = ts_us + pause_us if day == last else max(ts_us, int(morning.timestamp()) * 1_000_000) + pause_us
        last = day
        made.append(Step(ts_us, names))
    return made


def shell_steps(rng: np.random.Generator, users: int) -> list[Step]:
    """Commands of made-up people."""
    words = [f"cmd{i}" for i in range(60)]
    popular = rng.dirichlet(np.full(len(words), 0.15))
    shared = 0.8 * np.array([rng.dirichlet(popular * 8 + 1e-3) for _ in words]) + 0.2 * np.eye(len(words))
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
            label = words[state] if rng.random() > slip else f"{words[state]}{rng.integers(0, 10_000)}"
            made.append(Step(ts_us, (label,), f"user{user}"))
    return sorted(made, key=lambda step: step.ts_us)


def owners(folder: Path) -> list[tuple[str, list[Step], bool]]:
    """(name, steps, whether it is several users), the files checked against their hashes."""
    made = []
    seeds = iter(np.random.SeedSequence(SEED).spawn(len(CHANGELOGS) + SHELL_GROUPS))
    for package, digest in CHANGELOGS.items():
        raw = gzip.decompress((folder / package / "changelog.gz").read_bytes())
        found = hashlib.sha256(raw).hexdigest()
        if digest and found != digest:
            print(f"{package}: another version of its changelog; the prior will differ", file=sys.stderr)
        made.append((package, changelog_steps(raw.decode(errors="replace"), np.random.default_rng(next(seeds))), False))
        print(package, found, file=sys.stderr)
    for group in range(SHELL_GROUPS):
        made.insert(3 + 4 * group, (f"shell{group}", shell_steps(np.random.default_rng(next(seeds)), 20), True))
    return made


def learn_prior(folder: Path) -> Prior:
    """Rankers go from owner to owner, counts start empty each time; the prior is the mean of what each left behind."""
    prior: Prior | None = None
    left: list[Prior] = []
    for name, steps, is_shared in owners(folder):
        predictor = Predictor(is_shared=is_shared, prior=prior)
        hits = [predictor.learn(step).hit_at_1 for step in steps]
        prior = predictor.as_prior()
        left.append(prior)
        print(f"{name}: {len(steps):,} steps, hit@1 {sum(hits) / len(hits):.3f}", file=sys.stderr)
    weights = np.mean([unpack_array(p.rankers) for p in left], axis=0)
    means, variances = (np.mean([unpack_array(p.inputs[i]) for p in left], axis=0) for i in (0, 1))
    return Prior(pack_array(weights), [pack_array(means), pack_array(variances), left[-1].inputs[2]])


def main() -> None:
    """Write the prior beside the code that loads it."""
    data = encode_prior(learn_prior(Path(sys.argv[1])))
    (Path(__file__).parent.parent / "selflow" / "predict" / PRIOR_FILE).write_bytes(data)
    print(json.dumps({"file": PRIOR_FILE, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}))


if __name__ == "__main__":
    main()
