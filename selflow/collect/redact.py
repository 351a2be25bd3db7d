"""Secrets out, typed slots in: nothing else of SelFlow sees an event before this.

Pure and idempotent: a text is rewritten until another pass changes nothing.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from selflow.collect.checksums import replace_cards, replace_ibans
from selflow.collect.decoding import plain_text
from selflow.collect.entropy import MIN_CHARS, RUN, replace_random
from selflow.collect.needles import NeedleScan
from selflow.collect.personal_kinds import (
    KIND_RULES,
    PHONE,
    PHONE_KEY,
    is_phone,
    is_seed_phrase,
)
from selflow.collect.secret_names import SECRET, SENSITIVE_NAME, SecretPattern
from selflow.collect.secret_patterns import CARD, DECISION_ID, HEX_RUN, SHAPES, UUID_RUN
from selflow.collect.written_secrets import NAMING_KEY, VALUE_KEY
from selflow.core.events import Event, Json
from selflow.core.ports import Redactor
from selflow.core.settings import PrivacySettings, RedactKind

_SHORTEST = 5
_MAX_PASSES = 8
_SHORTEST_NUMBER = 12
_UUID_HYPHENS = 4
_COMMAND_WORDS = 4
"""``aws configure set NAME VALUE``: how much of a list of arguments can announce the next one."""
_DIGIT = re.compile("[0-9]")
_PROBE = "Qz1"
_DEFAULT_KINDS = PrivacySettings().redact_kinds
_SCAN = NeedleScan([shape.needles for shape in SHAPES])
_REMEMBERED_TEXTS, _REMEMBERED_CHARS = 8_192, 128
"""Texts known to hold no secret (kinds, apps, keys, paths that come again) are not searched twice.
"""


def _is_decision_id(key: str, value: Json) -> bool:
    """An id that ``core.ids`` draws looks like a secret and is none: feedback is joined by it."""
    return (
        key == "decision_id" and isinstance(value, str) and DECISION_ID.fullmatch(value) is not None
    )


@lru_cache(maxsize=4_096)
def _names_secret(name: str) -> bool:
    """Whether a key, or a text that names one, announces a secret."""
    return SENSITIVE_NAME.search(plain_text(name)) is not None


@lru_cache(maxsize=4_096)
def _is_naming(key: str) -> bool:
    return NAMING_KEY.fullmatch(key) is not None


@lru_cache(maxsize=4_096)
def _is_phone_key(key: str) -> bool:
    return PHONE_KEY.fullmatch(key) is not None


def make_redactor(privacy: PrivacySettings) -> Redactor:
    """The one place that decides whether events are redacted (``privacy.anonymize``)."""
    if not privacy.anonymize:
        return PassThrough()
    return SlotRedactor(privacy.redact_patterns, privacy.redact_kinds)


class PassThrough:
    """Changes nothing; what the owner chooses with ``privacy.anonymize: false``."""

    def redact(self, event: Event) -> Event:
        """The event itself."""
        return event


class SlotRedactor:
    """Replaces secrets in every text of an event, keys included, by ``<SECRET> <EMAIL> <CARD>
    <IBAN> <HEX> <UUID>``, and what the owner chose besides by ``<PHONE> <ID> <ADDRESS>``.

    Args:
        patterns: The owner's own regular expressions; each match becomes ``<SECRET>``.
        kinds: Kinds of personal data that are replaced too.

    Cost: linear in the length of the texts; 15 to 50 us for a file event on one core, the first
    time its path is seen.
    """

    def __init__(
        self, patterns: Sequence[str] = (), kinds: Sequence[RedactKind] = _DEFAULT_KINDS
    ) -> None:
        self._rules = tuple(rule for kind, rule in KIND_RULES.items() if kind in kinds)
        self._hides_phones, self._hides_seeds = "phone" in kinds, "seed_phrase" in kinds
        self._own = tuple(
            SecretPattern((), re.compile(pattern), lambda _: SECRET) for pattern in patterns
        )
        self._shortest = 1 if patterns else _SHORTEST
        self._clean: set[str] = set()

    def redact(self, event: Event) -> Event:
        """The same event with every secret replaced; ``ts_us`` and ``duration_s`` stay."""
        return replace(
            event,
            source=self.text(event.source),
            kind=self.text(event.kind),
            subject=self.text(event.subject),
            app=self.text(event.app),
            data=self._mapping(event.data, is_secret=False) if event.data else event.data,
        )

    def text(self, text: str) -> str:
        """One text without its secrets. A text that does not settle in eight passes becomes one
        slot.
        """
        if len(text) < self._shortest or text in self._clean:
            return text
        cleaned = self._settle(text)
        if cleaned == text and len(text) <= _REMEMBERED_CHARS:
            if len(self._clean) >= _REMEMBERED_TEXTS:
                self._clean.clear()
            self._clean.add(text)
        return cleaned

    def _settle(self, text: str) -> str:
        for _ in range(_MAX_PASSES):
            cleaned = self._pass(text)
            if cleaned == text:
                plain = plain_text(text)
                if plain == text or (cleaned := self._pass(plain)) == plain:
                    return text
            text = cleaned
        return SECRET

    def _pass(self, text: str) -> str:
        for index in _SCAN.numbers(text):
            text = SHAPES[index].apply(text)
        for shape in self._own:
            text = shape.apply(text)
        if text.count("-") >= _UUID_HYPHENS:
            text = UUID_RUN.apply(text)
        if len(text) >= _SHORTEST_NUMBER and _DIGIT.search(text) is not None:
            text = replace_cards(replace_ibans(text))
        for rule in self._rules:
            text = rule(text)
        if len(text) < MIN_CHARS or RUN.search(text) is None:
            return text
        return replace_random(HEX_RUN.apply(text), SECRET)

    def _mapping(self, data: Mapping[str, Json], *, is_secret: bool) -> dict[str, Json]:
        """Keys that collide after redaction get a number, so that no value is lost."""
        cleaned: dict[str, Json] = {}
        names_one = any(
            _is_naming(key) and isinstance(value, str) and _names_secret(value)
            for key, value in data.items()
        )
        for key, value in data.items():
            name = base = self.text(key)
            number = 2
            while name in cleaned:
                name, number = f"{base}#{number}", number + 1
            hides = _names_secret(key) or (names_one and VALUE_KEY.fullmatch(key))
            is_hidden = is_secret or bool(hides)
            if not is_hidden and _is_decision_id(key, value):
                cleaned[name] = value
            elif not is_hidden and self._hides_phones and _is_phone_key(key) and is_phone(value):
                cleaned[name] = PHONE
            else:
                cleaned[name] = self._value(value, is_secret=is_hidden)
        return cleaned

    def _list(self, items: list[Json]) -> list[Json]:
        """Arguments of a command may announce each other: ``["--password", "X"]``."""
        if self._hides_seeds and is_seed_phrase(items):
            return [SECRET] * len(items)
        return [
            self._value(item, is_secret=index > 0 and self._announces(items, index))
            for index, item in enumerate(items)
        ]

    def _announces(self, items: list[Json], index: int) -> bool:
        """Whether what stands before item ``index`` makes it a secret, whatever it is."""
        previous = items[index - 1]
        if not isinstance(items[index], str | int | float) or not isinstance(previous, str):
            return False
        if len(items) == 2 and SENSITIVE_NAME.fullmatch(previous):  # a name and its value
            return True
        head = items[: min(index - 1, _COMMAND_WORDS - 1)]
        words = [*(part for part in head if isinstance(part, str)), previous]
        command = " ".join(words)
        if len(command) > _REMEMBERED_CHARS:
            return False
        return self.text(f"{command} {_PROBE}").endswith(f" {SECRET}")

    def _value(self, value: Json, *, is_secret: bool) -> Json:
        """``is_secret``: the key above says that this is a secret, whatever it looks like."""
        if isinstance(value, dict):
            return self._mapping(value, is_secret=is_secret)
        if isinstance(value, list):
            return (
                [self._value(item, is_secret=True) for item in value]
                if is_secret
                else (self._list(value))
            )
        if isinstance(value, bool) or value is None or value == "":
            return value
        if is_secret:
            return SECRET
        if isinstance(value, str):
            return self.text(value)
        return CARD if isinstance(value, int) and replace_cards(str(value)) == CARD else value
