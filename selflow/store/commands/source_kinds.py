"""The kinds of source that the owner is asked for, and what consent to each means."""

from dataclasses import dataclass

from selflow.core.grants import ACTIVITYWATCH

FILES = "file_system"
COMPANION = "shell_companion"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of source, and what consent to it means."""

    name: str
    collected: str
    never: str
    is_watched: bool = True
    """Whether the collector watches it by itself: it then stands in ``data_sources``."""
    has_folders: bool = False
    """Whether consent names folders, and holds for no other."""

    @property
    def folder_option(self) -> str:
        """The option that names a folder."""
        return "--watch DIR" if self.name == FILES else f"--grant {self.name}=DIR"


KINDS = (
    Kind(
        FILES,
        "that a file below the folders you name was created, changed, moved or deleted: "
        "its path and the time",
        "what is in a file; anything in version control internals, caches, build output "
        "and your excluded paths",
        has_folders=True,
    ),
    Kind(
        "system_metrics",
        "the load of processor, memory, disk, network and battery, and the temperature, "
        "once a minute",
        "which programs run, what they show, where data goes",
    ),
    Kind(
        "shell_history",
        "the commands in your shell's history files, with secrets replaced before they are stored",
        "what commands print, passwords that are typed, commands that your shell does not keep",
    ),
    Kind(
        "ingest",
        "events that your programs send over the local socket, with secrets replaced "
        "before they are stored",
        "anything that a program does not send by itself",
        is_watched=False,
    ),
    Kind(
        ACTIVITYWATCH,
        "what ActivityWatch's watchers send to the port that you set as aw.port: windows, idle "
        "times, tabs, files that are edited; with secrets replaced before they are stored",
        "private windows; anything while aw.port is not set",
        is_watched=False,
    ),
    Kind(
        COMPANION,
        "each command that a shell with the hook of `selflow shell install` has finished: the "
        "line, its folder, exit status and duration, and what became of a suggestion; with "
        "secrets replaced before they are stored",
        "lines that begin with a space, what commands print, passwords that are typed",
    ),
    Kind(
        "browser_history",
        "the pages you visit in Firefox, Chromium and their relatives: address, title, time and "
        "how you came there",
        "what is behind ? or # in an address, logins, what pages show or you type into them; "
        "private windows, which no browser writes into its history",
    ),
    Kind(
        "application_usage",
        "which window is in front, its title, for how long, and when nobody is at the machine; "
        "where that is not available, which programs start and end",
        "what windows show, what you type, titles of private windows of browsers",
    ),
    Kind(
        "calendar",
        "what the calendar files you name say has begun: summary, time, duration, place",
        "descriptions, guests, anything that has not begun yet",
        has_folders=True,
    ),
    Kind(
        "documents",
        "the text of documents below the folders you name: PDF, office files, web pages, e-mail "
        "files, EPUB and plain text, up to a limit",
        "other folders, pictures, scripts and attachments in documents, files you exclude",
        has_folders=True,
    ),
    Kind(
        "git_activity",
        "that git has committed, checked out, merged, rebased or reset in the repositories below "
        "the folders you name: repository, time, and the branches of a checkout",
        "messages of commits, names and addresses, what was changed",
        has_folders=True,
    ),
)
