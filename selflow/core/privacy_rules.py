"""Rules of exclusion that the owner adds while SelFlow runs: they tighten, and no rule is removed
here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from selflow.core.config_files import read_yaml, set_override
from selflow.core.paths import Root

KEYS = {"paths": "privacy.exclude_paths", "apps": "privacy.exclude_apps"}


@dataclass(frozen=True, slots=True)
class PrivacyRules:
    """Path globs and program names; an event that fulfils one of them is not stored."""

    paths: tuple[str, ...] = ()
    apps: tuple[str, ...] = ()


def added_rules(root: Root) -> PrivacyRules:
    """What was added so far: the runtime overrides.

    Raises:
        ConfigError: Their file cannot be read.
    """
    section = read_yaml(root.runtime_overrides).get("privacy") or {}
    lists = {name: section.get(key.partition(".")[2]) or () for name, key in KEYS.items()}
    return PrivacyRules(**{name: tuple(map(str, values)) for name, values in lists.items()})


def add_rules(root: Root, paths: Sequence[str], apps: Sequence[str]) -> PrivacyRules:
    """Add rules for good; one that is there already is not added twice. Collecting follows them
    within a second.

    Raises:
        ConfigError: A rule is not valid; those before it are saved.
    """
    before = added_rules(root)
    after = PrivacyRules(
        tuple(dict.fromkeys([*before.paths, *paths])), tuple(dict.fromkeys([*before.apps, *apps]))
    )
    for name, key in KEYS.items():
        if getattr(after, name) != getattr(before, name):
            set_override(root, key, list(getattr(after, name)))
    return after
