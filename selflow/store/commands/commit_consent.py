"""The consent to a repository's commits, which `selflow git install --record` brings along."""

import shutil
from pathlib import Path

from selflow.core.clock import SystemClock
from selflow.core.grants import COMMITS, OWNER
from selflow.core.invocation import Invocation
from selflow.core.paths import private_folder
from selflow.store.commands.opening import open_catalog
from selflow.store.reading import CatalogReader


class CommitConsent:
    """The consent of the catalog that a command line means; it finds this by the entry-point group
    ``selflow.consents``.
    """

    def __init__(self, call: Invocation) -> None:
        self._call = call

    def allow(self, repository: Path) -> None:
        """Allow one more repository; git's hooks write from now on."""
        folders = dict.fromkeys([*_allowed(self._call), str(repository)])
        with open_catalog(self._call) as catalog:
            now_us = SystemClock().now_us()
            catalog.consents.grant(COMMITS, {"paths": list(folders)}, now_us, OWNER)
        private_folder(self._call.root.commit_spool)

    def refuse(self, repository: Path) -> None:
        """End the consent to one repository; with the last one what waits goes too."""
        folders = _allowed(self._call)
        if str(repository) not in folders:
            return
        with open_catalog(self._call) as catalog:
            now_us = SystemClock().now_us()
            catalog.consents.revoke_folders(COMMITS, [str(repository)], now_us, OWNER)
        if len(folders) == 1:
            remove_commit_spool(self._call)


def remove_commit_spool(call: Invocation) -> None:
    """The hooks write where this folder is, and nowhere else: it stands for the consent."""
    shutil.rmtree(call.root.commit_spool, ignore_errors=True)


def _allowed(call: Invocation) -> tuple[str, ...]:
    consents = CatalogReader(call.catalog_location()).consents()
    return next(
        (
            consent.folders
            for consent in consents
            if consent.source == COMMITS and consent.revoked_at_us is None
        ),
        (),
    )
