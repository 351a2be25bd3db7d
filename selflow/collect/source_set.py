"""Which sources run: those that the settings name and the owner's consent allows, now."""

from collections.abc import Callable, Mapping

from selflow.collect.sources import Emit, Source, SourceHealth


class SourceSet:
    """Starts a source once its kind is allowed and stops it once it is not. For one thread.

    Args:
        planned: How to make each source, by a name that begins with its kind (``file_system``,
            ``file_system#2``).
        emit: Takes the events.
    """

    def __init__(self, planned: Mapping[str, Callable[[], Source]], emit: Emit) -> None:
        self._planned = planned
        self._emit = emit
        self._running: dict[str, Source] = {}

    def settle(self, allows: Callable[[str], bool]) -> None:
        """Bring the running sources in line with what is allowed.

        Raises:
            ConfigError: A source cannot be made; the others run.
        """
        for name, make in self._planned.items():
            is_allowed = allows(name.partition("#")[0])
            if is_allowed and name not in self._running:
                source = make()
                source.start(self._emit)
                self._running[name] = source
            elif not is_allowed and name in self._running:
                self._running.pop(name).stop()

    def stop(self) -> None:
        """Stop them all."""
        while self._running:
            self._running.popitem()[1].stop()

    def fault(self) -> str:
        """Which running sources have ended of themselves; empty if none has."""
        ended = [each.name for each in self.health() if each.state == "dead"]
        return f"sources have ended: {', '.join(ended)}" if ended else ""

    def health(self) -> list[SourceHealth]:
        """What the running sources say."""
        return [source.health() for source in list(self._running.values())]
