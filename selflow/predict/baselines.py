"""The simple rules that every claim about prediction is held against.

Each gives a ranked list and a smoothed probability: p(y) = (1 - new) * (0.9 * share(y) + 0.1 *
frequency(y)), where share is the rule's own (its list's) and new the rate of labels never seen
before. Of several users, counts and rows are everybody's (that makes them stronger), while the last
steps and the order of last use are each user's own. Sources: IPAM, Davison and Hirsh 1998 (row
decay .8); rank fusion, Cormack et al. 2009 with constant 1.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

from selflow.core.steps import Step
from selflow.predict.grades import TOP, Grade, log_loss_bits

NAMES = ("most_frequent", "most_recent", "markov1", "markov2", "ipam", "rrf")
_LIST = 64
_MEMBERS = 12
_PAIR_MEMBERS = 4
_OWN = 0.9
_IPAM_DECAY = 0.8
_IPAM_LEAST = 1e-6
_RECIPROCALS = [1.0 / (1 + rank) for rank in range(_LIST)]

Shares = dict[str, float]


class _Frequency:
    """Counts with their leaders; exact, because a count only grows when its label comes."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.total = 0
        self.leaders: list[str] = []

    def learn(self, labels: Sequence[str]) -> None:
        for label in labels:
            self.counts[label] = self.counts.get(label, 0) + 1
        self.total += len(labels)
        pool = dict.fromkeys([*self.leaders, *labels])
        self.leaders = sorted(pool, key=self.counts.__getitem__, reverse=True)[:_LIST]


class Baselines:
    """All rules side by side over one stream; each step is graded for each rule, then learned."""

    def __init__(self, *, bars_current: bool = False) -> None:
        self._bars_current = bars_current
        self._all = _Frequency()
        self._own: defaultdict[str, _Frequency] = defaultdict(_Frequency)
        self._recent: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self._history: dict[str, tuple[tuple[str, ...], ...]] = {}
        self._follow: dict[str | tuple[str, str], dict[str, int]] = {}
        self._ipam: dict[str | None, Shares] = {}
        self._members = 0
        self._new = 0

    def test_then_train(self, step: Step) -> dict[str, Grade]:
        """The grade of every rule on the next step."""
        history = self._history.get(step.user, ())
        last = history[-1] if history else ()
        shares = self._shares(
            step.user, last[:_MEMBERS], history[0][:_MEMBERS] if len(history) > 1 else ()
        )
        # In the order of the step: a sum over a set would depend on the interpreter's hash seed
        barred = tuple(dict.fromkeys(last)) if self._bars_current else ()
        known = [label for label in step.labels if label in self._all.counts]
        grades = {
            name: self._grade(share, named, step, known, barred)
            for name, (share, named) in shares.items()
        }
        self._learn(step, history, len(step.labels) - len(known))
        return grades

    def _shares(
        self, user: str, last: Sequence[str], before: Sequence[str]
    ) -> dict[str, tuple[Shares, list[str]]]:
        """By rule, its shares and its list."""
        own = self._own[user]
        everybody = self._all
        filled = dict.fromkeys([*own.leaders, *everybody.leaders])
        counted, known, all_events = (
            own.counts,
            everybody.counts,
            everybody.total + len(everybody.counts),
        )
        frequent = {
            label: (counted.get(label, 0) + (known.get(label, 0) + 1.0) / all_events)
            / (own.total + 1.0)
            for label in filled
        }
        recent = dict(zip(reversed(self._recent[user]), _RECIPROCALS, strict=False))
        pairs = [(b, a) for a in last[:_PAIR_MEMBERS] for b in before[:_PAIR_MEMBERS]]
        markov1 = _escape(self._followers(last), frequent)
        markov2 = _escape(self._followers(pairs), markov1)
        lists: dict[str, Shares] = {
            "most_frequent": frequent,
            "most_recent": recent,
            "markov1": markov1,
            "markov2": markov2,
            "ipam": self._ipam_shares(last),
        }
        fused: defaultdict[str, float] = defaultdict(float)
        ranked = {
            name: sorted(shares, key=shares.__getitem__, reverse=True)
            for name, shares in lists.items()
        }
        for named in ranked.values():
            for label, score in zip(named, _RECIPROCALS, strict=False):
                fused[label] += score
        lists["rrf"] = fused
        ranked["rrf"] = sorted(fused, key=fused.__getitem__, reverse=True)
        return {name: (shares, ranked[name]) for name, shares in lists.items()}

    def _followers(self, contexts: Iterable[str | tuple[str, str]]) -> dict[str, int]:
        counts: dict[str, int] = {}
        for context in contexts:
            for label, count in self._follow.get(context, {}).items():
                counts[label] = counts.get(label, 0) + count
        return counts

    def _ipam_shares(self, last: Sequence[str]) -> Shares:
        shares: Shares = {}
        for label in last:
            for y, share in self._ipam.get(label, self._ipam.get(None, {})).items():
                shares[y] = shares.get(y, 0.0) + share
        return shares

    def _frequency(self, user: str, label: str) -> float:
        own = self._own[user]
        everybody = (self._all.counts.get(label, 0) + 1.0) / (
            self._all.total + len(self._all.counts)
        )
        return (own.counts.get(label, 0) + everybody) / (own.total + 1.0)

    def _grade(
        self,
        shares: Shares,
        named: list[str],
        step: Step,
        known: list[str],
        barred: tuple[str, ...],
    ) -> Grade:
        total = sum(shares.values()) or 1.0
        new = (self._new + 0.5) / (self._members + 1.0)

        def p_of(label: str) -> float:
            return (1.0 - new) * (
                _OWN * shares.get(label, 0.0) / total
                + (1 - _OWN) * self._frequency(step.user, label)
            )

        left = max(1e-9, 1.0 - sum(p_of(label) for label in barred)) if barred else 1.0
        named = list(islice((label for label in named if label not in barred), TOP))
        hits = [label in step.labels for label in named]
        bits = log_loss_bits(
            [p_of(label) / left for label in known], new / left, len(step.labels) - len(known)
        )
        hit = any(hits[:1])
        first = p_of(named[0]) / left if named else 0.0
        return Grade(hit, any(hits), bits, first, hit / len(step.labels))

    def _learn(self, step: Step, history: tuple[tuple[str, ...], ...], n_new: int) -> None:
        labels = step.labels
        last = history[-1][:_MEMBERS] if history else ()
        before = history[0][:_PAIR_MEMBERS] if len(history) > 1 else ()
        pairs = [(b, a) for a in last[:_PAIR_MEMBERS] for b in before]
        contexts: list[str | tuple[str, str]] = [*last, *pairs]
        for context in contexts:
            row = self._follow.setdefault(context, {})
            for label in labels:
                row[label] = row.get(label, 0) + 1
        self._learn_ipam(last, labels)
        self._all.learn(labels)
        self._own[step.user].learn(labels)
        recent = self._recent[step.user]
        for label in reversed(labels):
            recent.pop(label, None)
            recent[label] = None
        self._history[step.user] = (*history[-1:], labels)
        self._members += len(labels)
        self._new += n_new

    def _learn_ipam(self, last: Sequence[str], labels: Sequence[str]) -> None:
        default = self._ipam.get(None, {})
        for context in (*last, None):
            old = self._ipam.get(context, default)
            row = {y: v * _IPAM_DECAY for y, v in old.items() if v > _IPAM_LEAST}
            for label in labels:
                row[label] = row.get(label, 0.0) + (1.0 - _IPAM_DECAY) / len(labels)
            self._ipam[context] = row


def _escape(counts: Mapping[str, int], lower: Shares) -> Shares:
    """Counts as shares, one pseudo-count spread over the shares below."""
    total = sum(counts.values()) + 1.0
    scale = 1.0 / (total * (sum(lower.values()) or 1.0))
    shares = {label: share * scale for label, share in lower.items()}
    for label, count in counts.items():
        shares[label] = shares.get(label, 0.0) + count / total
    return shares
