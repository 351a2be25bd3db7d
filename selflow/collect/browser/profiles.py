"""Where browsers keep their histories."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Family = Literal["firefox", "chromium"]

_FILES: dict[Family, str] = {"firefox": "places.sqlite", "chromium": "History"}
_FIREFOX = (
    ("firefox", ".mozilla/firefox"),
    ("firefox", ".config/mozilla/firefox"),
    ("firefox", "snap/firefox/common/.mozilla/firefox"),
    ("firefox", ".var/app/org.mozilla.firefox/.mozilla/firefox"),
    ("librewolf", ".librewolf"),
)
_CHROMIUM = (
    ("chromium", ".config/chromium"),
    ("chromium", "snap/chromium/common/chromium"),
    ("chromium", ".var/app/org.chromium.Chromium/config/chromium"),
    ("chrome", ".config/google-chrome"),
    ("chrome", ".var/app/com.google.Chrome/config/google-chrome"),
    ("brave", ".config/BraveSoftware/Brave-Browser"),
    ("edge", ".config/microsoft-edge"),
    ("vivaldi", ".config/vivaldi"),
)
"""Folders of Linux, below the home folder, with a folder per profile in each."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One history database."""

    browser: str
    family: Family
    database: Path


def find_profiles(home: Path) -> list[Profile]:
    """Every history in the places where Linux's browsers keep theirs."""
    families: tuple[tuple[Family, tuple[tuple[str, str], ...]], ...] = (
        ("firefox", _FIREFOX),
        ("chromium", _CHROMIUM),
    )
    profiles: dict[Path, Profile] = {}
    for family, folders in families:
        for browser, folder_name in folders:
            for database in sorted((home / folder_name).glob(f"*/{_FILES[family]}")):
                if database.is_file():
                    profiles.setdefault(database.resolve(), Profile(browser, family, database))
    return list(profiles.values())


def chosen_profiles(folders: Sequence[str], home: Path) -> Iterator[Profile]:
    """The histories of the profile folders that the settings name, whether they exist or not."""
    for text in folders:
        folder = home / text[2:] if text.startswith("~/") else Path(text)
        family: Family = "firefox" if (folder / _FILES["firefox"]).exists() else "chromium"
        browser = next(
            (
                name
                for name, folder_name in (*_FIREFOX, *_CHROMIUM)
                if folder.is_relative_to(home / folder_name)
            ),
            family,
        )
        yield Profile(browser, family, folder / _FILES[family])
