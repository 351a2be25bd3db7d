"""The tray's menu, made from its state alone: the same model for every desktop."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from selflow.console.tray.state import TrainingAgent, TrayState
from selflow.core.invocation import printable

Action = Literal["", "open", "refresh", "start"]
MAX_LABEL_CHARACTERS = 80
_MEDALS = ("🥇", "🥈", "🥉")


@dataclass(frozen=True, slots=True)
class MenuItem:
    """An entry; ``key`` names it for life, ``path`` is the page that it opens. ``emoji`` stands
    before the label where emoji are wanted.
    """

    key: str
    emoji: str
    text: str
    action: Action = ""
    path: str = ""
    children: tuple["MenuItem", ...] = ()

    def label(self, *, with_emoji: bool) -> str:
        """As the desktop shows it; a title from outside is one line of bounded length."""
        text = printable(self.text)
        if len(text) > MAX_LABEL_CHARACTERS:
            text = f"{text[: MAX_LABEL_CHARACTERS - 1]}…"
        return f"{self.emoji} {text}" if with_emoji and self.emoji else text


@dataclass(frozen=True, slots=True)
class MenuModel:
    """The whole menu; ``title`` heads it and is no entry that does something."""

    items: tuple[MenuItem, ...]

    def walk(self) -> Iterator[tuple[int, MenuItem]]:
        """Every entry with its depth, in the order of reading."""
        yield from _walk(self.items, 0)

    def text(self, *, with_emoji: bool) -> str:
        """Drawn as lines, two spaces for each level."""
        labels = ((depth, item.label(with_emoji=with_emoji)) for depth, item in self.walk())
        return "\n".join(f"{'  ' * depth}{label}" for depth, label in labels)


_TITLE = MenuItem("title", "🧠", "SelFlow")


def build_menu(state: TrayState) -> MenuModel:
    """The menu of a state; what has no source, or no page, is not in it."""
    head = [_TITLE]
    if state.state == "not running":
        head.append(MenuItem("start", "🔄", "Not running: Start", "start"))
    if state.pause_reason:
        head.append(MenuItem("paused", "⏸", f"Paused: {state.pause_reason}"))
    if not state.pages:  # no console answers
        return MenuModel(tuple(head))
    sections = (
        _overview(state),
        _today(state),
        _agents(state),
        _training(state),
        _insights(state),
        _foot(state),
    )
    return MenuModel((*head, *(item for part in sections for item in part)))


def _page(state: TrayState, key: str, emoji: str, text: str, path: str) -> tuple[MenuItem, ...]:
    """An entry that opens a page, if there is that page."""
    is_there = path.partition("?")[0] in state.pages
    return (MenuItem(key, emoji, text, "open", path),) if is_there else ()


def _under(head: tuple[MenuItem, ...], children: Iterable[MenuItem]) -> tuple[MenuItem, ...]:
    """An entry with those below it; a desktop opens them instead of its page."""
    below = tuple(children)
    return tuple(
        MenuItem(one.key, one.emoji, one.text, one.action, one.path, below) for one in head
    )


def _overview(state: TrayState) -> tuple[MenuItem, ...]:
    events = "" if state.today_events is None else f" ({state.today_events:,} events today)"
    method = f"{state.method}: " if state.method else ""
    counted = "" if state.patterns is None else f" ({method}{state.patterns:,} patterns)"
    return (
        *_page(state, "dashboard", "📊", f"Live Dashboard{events}", "/"),
        *_page(state, "explorer", "🔍", f"Advanced Pattern Explorer{counted}", "/patterns"),
    )


def _today(state: TrayState) -> tuple[MenuItem, ...]:
    hot = [
        one
        for number, pattern in enumerate(state.hot_patterns)
        for one in _page(
            state,
            f"pattern{number}",
            "",
            f"{pattern.title} ({pattern.agreement_fraction:.0%} confidence)",
            "/patterns",
        )
    ]
    head = _page(state, "hot", "🔥", "Hot Patterns", "/patterns") if hot else ()
    below = [*_under(head, hot)]
    if state.today_file_operations is not None:
        text = f"File Operations ({state.today_file_operations:,} today)"
        below += _page(state, "files", "📊", text, "/activity")
    if state.focus_s is not None:
        minutes = round(state.focus_s / 60)
        text = f"Focus Time ({minutes // 60}h {minutes % 60}m)"
        below += _page(state, "focus", "🎯", text, "/activity")
    if state.efficiency_fraction is not None:
        text = f"Workflow Efficiency ({state.efficiency_fraction:.0%})"
        below += _page(state, "efficiency", "🔄", text, "/activity")
    return _under(_page(state, "today", "📈", "Today's Activity", "/activity"), below)


def _agents(state: TrayState) -> tuple[MenuItem, ...]:
    counted = [f"{state.active_agents} active"]
    if state.training:
        counted.append(f"{len(state.training)} training")
    head = _page(state, "agents", "🤖", f"Micro-Agents ({', '.join(counted)})", "/agents")
    serving = [
        MenuItem(f"agent{number}", medal, f"{agent.name} ({said})", "open", "/agents")
        for number, (medal, agent) in enumerate(zip(_MEDALS, state.agents, strict=False))
        for said in [
            "not enough data"
            if agent.success_fraction is None
            else f"{agent.success_fraction:.0%} success rate"
        ]
    ]
    training = [
        MenuItem(f"training{number}", "🔄", _progress(one), "open", "/training")
        for number, one in enumerate(state.training)
    ]
    board = _page(state, "performance", "📊", "Performance Dashboard", "/agents")
    return _under(head, [*serving, *training, *board])


def _progress(one: TrainingAgent) -> str:
    done = "" if one.done_fraction is None else f" {one.done_fraction:.0%}"
    return f"{one.name} (training{done})"


def _training(state: TrayState) -> tuple[MenuItem, ...]:
    text = "Training Center"
    if state.data_fraction is not None:
        share = f"{min(state.data_fraction, 1.0):.0%}"
        text = (
            f"Training Ready! ({share})"
            if state.is_training_ready
            else (f"Training Center (Data: {share} full)")
        )
    families = "/".join(state.families)
    analysis = f"Cluster Analysis ({families})" if families else "Cluster Analysis"
    waiting = f"Training Queue ({state.waiting_cycles} waiting)"
    below = (
        *_page(state, "queue", "📦", waiting, "/training"),
        *_page(state, "analysis", "🔬", analysis, "/patterns"),
        *_page(state, "models", "📈", "Model Performance", "/agents"),
        *_page(state, "tuning", "⚙️", "Training Settings", "/settings"),
    )
    return _under(_page(state, "center", "🏗️", text, "/training"), below)


def _insights(state: TrayState) -> tuple[MenuItem, ...]:
    below = (
        *_page(state, "progress", "🎓", "Learning Progress", "/training"),
        *_page(state, "clusters", "🔬", "Multi-Cluster Analysis", "/patterns"),
        *_page(state, "trends", "📈", "Trend Detection", "/trends"),
        *_page(state, "suggestions", "💡", "Optimization Suggestions", "/suggestions"),
    )
    return _under((MenuItem("insights", "🧬", "Data Insights"),), below) if below else ()


def _foot(state: TrayState) -> tuple[MenuItem, ...]:
    new = f" ({state.unread_notices} new)" if state.unread_notices else ""
    return (
        *_page(state, "notices", "🔔", f"Notifications{new}", "/?notices=open"),
        *_page(state, "settings", "⚙️", "Settings", "/settings"),
        MenuItem("refresh", "🔄", "Refresh Data", "refresh"),
    )


def _walk(items: Iterable[MenuItem], depth: int) -> Iterator[tuple[int, MenuItem]]:
    for item in items:
        yield depth, item
        yield from _walk(item.children, depth + 1)
