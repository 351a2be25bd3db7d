"""The shell around watchdog: inotify watches below a folder, without those that nobody needs.

watchdog watches every folder below a root and says nothing of one it could not watch. A home folder
holds ten thousand folders of caches and packages, so ours are pruned, and a refused watch is
reported. This reaches into watchdog's inotify module, which is why its major version is pinned.
"""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from watchdog.events import (
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers.api import BaseObserver
from watchdog.observers.inotify import InotifyEmitter, InotifyWatchGroup
from watchdog.observers.inotify_c import InotifyFD

from selflow.collect.coalesce import Kind

_KINDS: dict[type[FileSystemEvent], Kind] = {
    FileCreatedEvent: "create",
    FileModifiedEvent: "modify",
    FileDeletedEvent: "delete",
    FileMovedEvent: "move",
}

Take = Callable[[Kind, str, str], None]
Complain = Callable[[str], None]


class Watch(Protocol):
    """A folder that is being watched."""

    def stop(self) -> None:
        """End the watch; no change is taken after it returned."""
        ...


def watch(root: str, skips: Callable[[str], bool], take: Take, complain: Complain) -> Watch | None:
    """Watch a folder and everything below it, now and later.

    Args:
        root: The folder.
        skips: Whether a folder below is not worth a watch.
        take: Gets kind, path and, of a move, the new path of every change of a file; called in a
            thread.
        complain: Gets one sentence for each folder that cannot be watched: its path,
            why, and what to do.

    Returns:
        None if the root itself cannot be watched.
    """
    problem = why_unreadable(root)
    if problem:
        complain(problem)
        return None
    try:
        observer = _Observer(skips, complain)
        observer.schedule(_Handler(take), root, recursive=True, event_filter=list(_KINDS))
        observer.start()
    except OSError as error:
        complain(why_refused(root, error))
        return None
    return observer


def why_unreadable(path: str) -> str:
    """What keeps a folder from being read, as a sentence; empty if nothing does."""
    if not Path(path).is_dir():
        return f"{path} is not a folder or does not exist; correct data_sources or create it"
    if not os.access(path, os.R_OK | os.X_OK):
        return f"{path} cannot be read; make it readable (chmod u+rx) or exclude it"
    return ""


def why_refused(path: str, error: OSError) -> str:
    """What the kernel's refusal of a watch means, as a sentence with the next step."""
    if error.errno == errno.ENOSPC:
        return (
            f"the limit of file watches is reached at {path}; exclude large folders, or raise it: "
            "sysctl fs.inotify.max_user_watches"
        )
    if error.errno == errno.EMFILE:
        return (
            f"no file watch is left for {path}; raise the limit: "
            "sysctl fs.inotify.max_user_instances"
        )
    return (
        f"{path} cannot be watched: {os.strerror(error.errno or 0)}; exclude it or correct "
        "data_sources"
    )


class _Handler(FileSystemEventHandler):
    def __init__(self, take: Take) -> None:
        self._take = take

    def on_any_event(self, event: FileSystemEvent) -> None:
        kind = _KINDS.get(type(event))
        if kind is not None:
            self._take(kind, os.fsdecode(event.src_path), os.fsdecode(event.dest_path))


class _Observer(BaseObserver):
    def __init__(self, skips: Callable[[str], bool], complain: Complain) -> None:
        class Group(InotifyWatchGroup):
            def _add_callback(self, path: bytes) -> None:
                folder = os.fsdecode(path)
                if skips(folder):
                    return
                problem = "" if not Path(folder).is_dir() else why_unreadable(folder)
                if problem:
                    complain(problem)
                    return
                try:
                    wd = self._inotify_fd.add_callback(
                        path, self.event_mask, self._callback, self._id
                    )
                except OSError as error:
                    if path == self.path:
                        raise
                    if error.errno != errno.ENOENT:  # gone again before it could be watched
                        complain(why_refused(folder, error))
                    return
                self._active_callbacks_by_path[path] = wd
                self._active_callbacks_by_watch[wd] = path

        class Emitter(InotifyEmitter):
            def on_thread_start(self) -> None:
                self._inotify = Group(
                    self._inotify_fd,
                    os.fsencode(self.watch.path),
                    is_recursive=True,
                    event_mask=self.get_event_mask_from_filter(),
                )

        self._fd = InotifyFD()
        self._fd.start()
        super().__init__(Emitter, inotify_fd=self._fd)

    def on_thread_stop(self) -> None:
        super().on_thread_stop()
        self._fd.stop()
        self._fd.join()

    def stop(self) -> None:
        """End, and wait for the last change."""
        super().stop()
        if self.is_alive():
            self.join()
