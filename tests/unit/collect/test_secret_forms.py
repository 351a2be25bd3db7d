"""Passwords in the forms in which people hand them over: none is stored."""

import html
import json
import random
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from urllib.parse import quote

import pytest

from selflow.collect.needles import NeedleScan
from selflow.collect.redact import SlotRedactor
from selflow.collect.secret_patterns import SHAPES
from selflow.core.codec import event_to_json
from selflow.core.events import Event
from tests.unit.collect.secret_forms import COMMANDS, HELD_OUT, NAMED, PASSWORDS, WRITTEN

REDACTOR = SlotRedactor()
_KNOWN_LIMIT = "GetNPUsers.py dom/bob:{pw} -dc-ip h"
"""Nothing in it but the name of the program tells it from ``convert.py dir/name:part``."""


def _survivors(forms: tuple[str, ...]) -> list[str]:
    """The forms of which at least one password is still there."""
    return [
        form
        for form in forms
        if any(password in REDACTOR.text(form.replace("{pw}", password)) for password in PASSWORDS)
    ]


@pytest.mark.parametrize(
    "forms",
    [COMMANDS, HELD_OUT, WRITTEN, NAMED],
    ids=["commands", "held out", "written", "named"],
)
def test_no_ordinary_form_lets_its_password_through(forms: tuple[str, ...]) -> None:
    assert [form for form in _survivors(forms) if form != _KNOWN_LIMIT] == []


@pytest.mark.parametrize("forms", [COMMANDS, HELD_OUT, WRITTEN, NAMED])
def test_redacting_a_form_twice_is_redacting_it_once(forms: tuple[str, ...]) -> None:
    once = [REDACTOR.text(form.replace("{pw}", PASSWORDS[0])) for form in forms]

    assert [REDACTOR.text(text) for text in once] == once


def test_the_corpus_is_as_large_as_it_says() -> None:
    assert len(set(COMMANDS)) >= 300
    assert len(set(HELD_OUT)) >= 70
    assert not set(COMMANDS) & set(HELD_OUT)


ENCODINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "base64": lambda text: b64encode(text.encode()).decode(),
    "base64, of URLs": lambda text: urlsafe_b64encode(text.encode()).decode().rstrip("="),
    "percent": quote,
    "percent, all of it": lambda text: "".join(f"%{code:02X}" for code in text.encode()),
    "percent, twice": lambda text: quote(quote(text, safe=""), safe=""),
    "JSON": json.dumps,
    "JSON, escaped": lambda text: "".join(f"\\u{ord(char):04x}" for char in text),
    "HTML": lambda text: "".join(f"&#{ord(char)};" for char in text),
    "HTML, named": html.escape,
    "full width": lambda text: text.translate({code: code + 0xFEE0 for code in range(0x21, 0x7F)}),
    "without width": "\u200b".join,
}
_ALPHABETS = {
    "ghp_{}": ("abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789", 36),
    "AKIA{}": ("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16),
    "sk_live_{}": ("abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789", 24),
    "{}@example.org": ("bcdfghjklmnpqrstvwxz", 9),
    "password={}": ("bcdfghjklmnpqrstvwxz23456789", 10),
    '{{"api_key": "{}"}}': ("bcdfghjklmnpqrstvwxz23456789", 12),
    "postgres://bob:{}@db/shop": ("bcdfghjklmnpqrstvwxz23456789", 12),
    "mysql -u root -p{} shop": ("bcdfghjklmnpqrstvwxz23456789", 12),
}
_EXAMPLES = 6
FIELDS: dict[str, Callable[[str], Event]] = {
    "subject": lambda text: Event(1, "s", "k", text),
    "app": lambda text: Event(1, "s", "k", app=text),
    "kind": lambda text: Event(1, "s", text),
    "data": lambda text: Event(1, "s", "k", data={"title": text}),
    "deep": lambda text: Event(1, "s", "k", data={"a": [{"b": [1, None, text]}]}),
    "key": lambda text: Event(1, "s", "k", data={text: 1}),
}


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_no_planted_secret_survives_however_it_is_encoded(encoding: str) -> None:
    draw = random.Random(3)  # noqa: S311  (a test draws from a seed)
    encode = ENCODINGS[encoding]
    for form, (alphabet, chars) in _ALPHABETS.items():
        for _ in range(_EXAMPLES):
            drawn = "".join(draw.choices(alphabet, k=chars))
            said = encode(form.format(drawn))
            for make in FIELDS.values():
                shown = json.dumps(event_to_json(REDACTOR.redact(make(said))), ensure_ascii=False)

                assert drawn not in shown
                assert json.dumps(said, ensure_ascii=False)[1:-1] not in shown, form


def test_the_encoded_campaign_plants_more_than_a_thousand_secrets() -> None:
    assert len(ENCODINGS) * len(_ALPHABETS) * len(FIELDS) * _EXAMPLES >= 3_000


@pytest.mark.parametrize(
    "data",
    [
        {"field": "password", "value": "tulipgrass"},
        {"label": "Password for bob:", "input": "tulipgrass"},
        {"prompt": "Passwort", "typed": "tulipgrass"},
        {"row": ["password", "tulipgrass"]},
        {"form": [{"name": "pin", "value": "tulipgrass"}]},
        {"argv": ["x", "-u", "bob", "-p", "tulipgrass"]},
        {"argv": ["htpasswd", "-b", "f", "bob", "tulipgrass"]},
        {"contrase\u00f1a": "tulipgrass"},
        {"pass\u200bword": "tulipgrass"},
        {"\uff50\uff49\uff4e": "tulipgrass"},
    ],
)
def test_a_value_in_a_field_beside_its_name_is_a_secret(data: dict[str, object]) -> None:
    event = Event(1, "s", "k", data=data)  # type: ignore[arg-type]

    assert "tulipgrass" not in str(REDACTOR.redact(event).data)


def test_what_the_scan_leaves_out_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [
        form.replace("{pw}", PASSWORDS[0]).swapcase() if place % 2 else form
        for place, form in enumerate([*COMMANDS, *HELD_OUT, *WRITTEN, *NAMED])
    ]
    scanned = [SlotRedactor().text(text) for text in texts]
    monkeypatch.setattr(NeedleScan, "numbers", lambda _, __: list(range(len(SHAPES))))

    assert scanned == [SlotRedactor().text(text) for text in texts]
