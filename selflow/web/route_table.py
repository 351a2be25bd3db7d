"""Policies by method and path, where a path may have parameters."""

import re
from collections.abc import Iterator, Mapping

from selflow.web.access import RoutePolicy

_PARAMETER = re.compile(r"\\{\w+(:path)?\\}")


class RouteTable(Mapping[tuple[str, str], RoutePolicy]):
    """What each route demands. A path without parameters comes before those with some, and of
    these the one that was added first.
    """

    def __init__(self) -> None:
        self._exact: dict[tuple[str, str], RoutePolicy] = {}
        self._forms: list[tuple[str, re.Pattern[str], RoutePolicy]] = []

    def add(self, method: str, policy: RoutePolicy) -> None:
        """Take a route in. ``policy.route`` is its path: ``{name}`` is one part of a path,
        ``{name:path}`` whatever follows.
        """
        self._exact[method, policy.route] = policy
        form = _PARAMETER.sub(lambda match: ".+" if match[1] else "[^/]+", re.escape(policy.route))
        if form != re.escape(policy.route):
            self._forms.append((method, re.compile(form), policy))

    def include(self, other: "RouteTable") -> None:
        """Take all routes of another table in, behind those that are here."""
        for (method, _), policy in other.items():
            self.add(method, policy)

    def __getitem__(self, key: tuple[str, str]) -> RoutePolicy:
        if (policy := self._exact.get(key)) is not None:
            return policy
        for method, form, policy in self._forms:
            if method == key[0] and form.fullmatch(key[1]):
                return policy
        raise KeyError(key)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._exact)

    def __len__(self) -> int:
        return len(self._exact)
