"""Settings of the console's listeners (``selflow.core.settings``)."""

from typing import Annotated, Literal

from pydantic import Field

from selflow.core.section import Section

Port = Annotated[int, Field(ge=1024, le=65_535)]


class ConsoleSettings(Section):
    """The console: the web page and its API."""

    port: Port = 7730
    """The port; the next free one if it is busy."""


class AwSettings(Section):
    """The port that answers ActivityWatch's watchers and clients."""

    port: Port | None = None
    """ActivityWatch's own is 5600. None: closed. Setting it is the consent to what watchers send;
    a port that is taken is reported, and no other one is tried."""
    auth: Literal["watcher", "token", "open"] = "watcher"
    """``watcher``: programs without a token may make buckets and add events, and read nothing.
    ``token``: all need one. ``open``: none needs one."""
    testing: bool = False
    """Whether clients are told that this is a server for tests, where a bucket is deleted without
    ``force=1``."""
    origins: tuple[str, ...] = ()
    """Pages of further browser extensions that may ask, such as ``chrome-extension://ID``."""
