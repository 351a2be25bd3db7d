"""Planted secrets: strategies that draw one secret of each kind, and the places to hide it in."""

import string
from collections.abc import Callable

from hypothesis import strategies as st
from numpy.random import default_rng

from selflow.core.events import Event

_BASE62 = string.ascii_letters + string.digits
_UPPER36 = string.ascii_uppercase + string.digits


def _text(alphabet: str, chars: int) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(alphabet), min_size=chars, max_size=chars).map("".join)


def _prefixed(prefix: str, alphabet: str, chars: int) -> st.SearchStrategy[str]:
    return _text(alphabet, chars).map(prefix.__add__)


def _random(alphabet: str, chars: int) -> st.SearchStrategy[str]:
    """Strings as a generator draws them; hypothesis alone prefers simple ones."""
    return st.integers(0, 1 << 32).map(
        lambda seed: "".join(default_rng(seed).choice(list(alphabet), chars))
    )


def _with_luhn(stem: str) -> str:
    total = sum(
        sum(divmod(int(digit) * (2 - place % 2), 10)) for place, digit in enumerate(reversed(stem))
    )
    return stem + str(-total % 10)


def _german_iban(account: str) -> str:
    check = 98 - int(account + "131400") % 97
    return f"DE{check:02d}{account}"


def _grouped(text: str) -> str:
    return " ".join(text[place : place + 4] for place in range(0, len(text), 4))


_card = st.tuples(st.sampled_from(["4", "51", "37", "6011"]), _text(string.digits, 18)).map(
    lambda parts: _with_luhn((parts[0] + parts[1])[: 14 if parts[0] == "37" else 15])
)
_iban = _text(string.digits, 18).map(_german_iban)
_key_body = _text(_BASE62 + "+/", 64)

SECRETS: dict[str, st.SearchStrategy[str]] = {
    "aws": _prefixed("AKIA", _UPPER36, 16),
    "github": _prefixed("ghp_", _BASE62, 36),
    "github_fine": _prefixed("github_pat_", _BASE62 + "_", 60),
    "gitlab": _prefixed("glpat-", _BASE62 + "-_", 20),
    "slack": _prefixed("xoxb-", string.digits + "-" + string.ascii_letters, 40),
    "google": _prefixed("AIza", _BASE62 + "-_", 35),
    "openai": _prefixed("sk-proj-", _BASE62, 40),
    "anthropic": _prefixed("sk-ant-api03-", _BASE62 + "-_", 60),
    "stripe": _prefixed("sk_live_", _BASE62, 24),
    "jwt": st.tuples(_text(_BASE62, 20), _text(_BASE62, 30), _text(_BASE62 + "-_", 43)).map(
        lambda parts: f"eyJ{parts[0]}.eyJ{parts[1]}.{parts[2]}"
    ),
    "ours": _prefixed("sf_", _BASE62 + "-_", 43),
    "private_key": _key_body.map(
        lambda body: f"-----BEGIN RSA PRIVATE KEY-----\n{body}\n-----END RSA PRIVATE KEY-----"
    ),
    "email": st.tuples(
        _text(string.ascii_lowercase + ".", 8), _text(string.ascii_lowercase, 6)
    ).map(lambda parts: f"x{parts[0]}@{parts[1]}.org"),
    "card": _card,
    "card_grouped": _card.map(_grouped),
    "iban": _iban,
    "iban_grouped": _iban.map(_grouped),
    "uuid": st.uuids().map(str),
    "sha1": st.integers(1 << 150, (1 << 160) - 1).map(lambda number: f"{number:040x}"),
    "base62": _random(_BASE62, 40),
    "base64url": _random(_BASE62 + "-_", 43),
    "base36": _random(string.ascii_lowercase + string.digits, 40),
    "base62 short": _random(_BASE62, 24),
}
"""Kinds that are seen by their own shape, wherever they stand."""

_plain = _text(string.ascii_lowercase + string.digits, 9).map("Q".__add__)
ANNOUNCED: dict[str, tuple[st.SearchStrategy[str], Callable[[str], str]]] = {
    "assignment": (_plain, lambda secret: f"export DB_PASSWORD={secret}"),
    "quoted": (_plain, lambda secret: f"api_key: '{secret}'"),
    "json": (_plain, lambda secret: f'{{"secret": "{secret}", "n": 1}}'),
    "flag": (_plain, lambda secret: f"tool --password {secret} run"),
    "flag_joined": (_plain, lambda secret: f"tool --auth-token={secret} run"),
    "mysql": (_plain, lambda secret: f"mysql -u root -p{secret} shop"),
    "sshpass": (_plain, lambda secret: f"sshpass -p {secret} ssh host"),
    "curl": (_plain, lambda secret: f"curl -u bob:{secret} http://host/x"),
    "bearer": (_plain, lambda secret: f"curl -H 'Authorization: Bearer {secret}' host"),
    "bare_bearer": (_plain, lambda secret: f"bearer {secret}1"),
    "basic": (_plain, lambda secret: f"Authorization: Basic {secret}=="),
    "cookie": (_plain, lambda secret: f"Cookie: theme=dark; id={secret}"),
    "url": (_plain, lambda secret: f"https://bob:{secret}@host.org/x"),
    "connection": (
        _plain,
        lambda secret: f"postgresql+psycopg://bob:{secret}/x@localhost:5432/shop",
    ),
    "odbc": (_plain, lambda secret: f"Server=db;Uid=bob;Pwd={secret};"),
    "query": (_plain, lambda secret: f"GET https://host/path?q={secret}&b=1#top"),
    "bare_query": (_plain, lambda secret: f"GET /path?q={secret} HTTP/1.1"),
    "fragment": (_plain, lambda secret: f"https://host/cb#state={secret}"),
    "arguments": (_plain, lambda secret: f'run(["tool", "--password", "{secret}"])'),
    "escaped_arguments": (_plain, lambda secret: f'[\\"--auth-token\\", \\"{secret}\\"]'),
    "named_value": (_plain, lambda secret: f'{{"name": "DB_PASSWORD", "value": "{secret}"}}'),
    "value_named": (_plain, lambda secret: f'{{"value": "{secret}", "name": "password"}}'),
    "yaml_pair": (_plain, lambda secret: f"- name: API_TOKEN\n  value: {secret}\n"),
    "element": (_plain, lambda secret: f"<db:password enc='no'>{secret} x</db:password>"),
    "sentence": (_plain, lambda secret: f"the password for the door is {secret}"),
    "sentence_pin": (_plain, lambda secret: f"PIN lautet {secret}"),
    "no_user": (_plain, lambda secret: f"redis://:{secret}#w@host"),
    "digits_then_hash": (_plain, lambda secret: f"redis://:12#{secret}@host:6379/0"),
    "aws": (_plain, lambda secret: f"aws configure set aws_secret_access_key {secret}"),
    "npm": (_plain, lambda secret: f"npm config set //registry.org/:_authToken {secret}"),
    "fish": (_plain, lambda secret: f"set -gx GH_TOKEN {secret}"),
    "piped": (_plain, lambda secret: f"echo {secret} | sudo -S apt update"),
    "piped_quoted": (_plain, lambda secret: f"echo -n '{secret}|x' | /usr/bin/sudo -k -S ls"),
    "piped_format": (_plain, lambda secret: f"printf '%s' {secret} | sudo -S ls"),
    "stdin": (_plain, lambda secret: f"echo {secret}|docker login -u b --password-stdin"),
    "here_string": (_plain, lambda secret: f"sudo -S ls <<< {secret}"),
    **{
        name: (_plain, lambda secret, name=name: f"{name}={secret}")
        for name in ("pw", "pin", "otp", "cvv", "psk", "session", "userPin")
    },
}
"""Kinds that look like nothing; what stands before them gives them away."""

PLACES: dict[str, Callable[[str], Event]] = {
    "subject": lambda text: Event(1, "s", "k", text),
    "inside a subject": lambda text: Event(1, "s", "k", f"cp '{text}' /tmp/x"),
    "in a path": lambda text: Event(1, "s", "file.modify", f"/work/notes/{text}/draft.txt"),
    "app": lambda text: Event(1, "s", "k", app=text),
    "kind": lambda text: Event(1, "s", text),
    "data": lambda text: Event(1, "s", "k", data={"title": text}),
    "deep in data": lambda text: Event(1, "s", "k", data={"a": [{"b": [1, None, f"see {text}"]}]}),
    "a key of data": lambda text: Event(1, "s", "k", data={"a": {text: True}}),
}
