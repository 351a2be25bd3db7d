"""The menu as ``com.canonical.dbusmenu`` tells it: entries with numbers, and what changed of them.

Source: the interface's description in libdbusmenu, version 3.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from dbus_fast import Variant

from selflow.console.tray.menu import MenuItem, MenuModel

Layout = list[Any]
"""``(ia{sv}av)``: number, properties, children as variants of the same."""
Properties = dict[str, Variant]


@dataclass
class NumberedMenu:
    """The newest menu; an entry keeps its number as long as it lives, so that a desktop may leave
    the menu open.
    """

    with_emoji: bool
    model: MenuModel
    revision: int = 1
    _numbers: dict[str, int] = field(default_factory=dict)

    def replace(self, model: MenuModel) -> list[tuple[int, Properties]] | None:
        """Show another menu: the entries whose label is new, or None if the entries themselves are
        others; then the whole layout is.
        """
        before, self.model = self.model, model
        if _shape(before.items) != _shape(model.items):
            self.revision += 1
            return None
        return [
            (self.number(new), self.properties(new))
            for (_, old), (_, new) in zip(before.walk(), model.walk(), strict=True)
            if self.properties(old) != self.properties(new)
        ]

    def number(self, item: MenuItem) -> int:
        """From 1 on; 0 is the menu itself."""
        return self._numbers.setdefault(item.key, len(self._numbers) + 1)

    def item(self, number: int) -> MenuItem | None:
        """The entry with a number, if it is in the menu."""
        return next((one for _, one in self.model.walk() if self.number(one) == number), None)

    def properties(self, item: MenuItem) -> Properties:
        """What a desktop draws of an entry; an underscore alone would mark an access key."""
        label = item.label(with_emoji=self.with_emoji).replace("_", "__")
        shown = {
            "label": Variant("s", label),
            "enabled": Variant("b", bool(item.action or item.children)),
        }
        if item.children:
            shown["children-display"] = Variant("s", "submenu")
        return shown

    def layout(self, number: int, depth: int) -> Layout | None:
        """An entry with those below it, to a depth; -1 is all. None if there is no such entry."""
        if number == 0:
            properties = {"children-display": Variant("s", "submenu")}
            return [0, properties, self._below(self.model.items, depth)]
        item = self.item(number)
        if item is None:
            return None
        return [number, self.properties(item), self._below(item.children, depth)]

    def all_properties(self, numbers: Iterable[int]) -> list[Layout]:
        """Those of some entries; of all, if none is named."""
        wanted = set(numbers)
        return [
            [self.number(item), self.properties(item)]
            for _, item in self.model.walk()
            if not wanted or self.number(item) in wanted
        ]

    def _below(self, items: Iterable[MenuItem], depth: int) -> list[Variant]:
        if depth == 0:
            return []
        return [
            Variant(
                "(ia{sv}av)",
                [self.number(one), self.properties(one), self._below(one.children, depth - 1)],
            )
            for one in items
        ]


def _shape(items: Iterable[MenuItem]) -> list[Any]:
    return [(item.key, _shape(item.children)) for item in items]
