"""What secrets look like: the shapes that ``redact`` replaces by typed slots.

A ``SecretPattern`` finds one kind of secret and puts its slot there. ``needles`` are lower-case
substrings of which at least one stands in every text that the pattern can match: most texts are
passed by without a search.

Every search takes time linear in the length of the text, whoever wrote it (a test doubles hostile
inputs for every pattern). Three rules keep it so: a run of characters is entered at its start only
(look-behind), a repeat that something must follow is possessive or bounded, and what belongs to a
program is searched once per command, not once per mention of the program.
"""

import re

from selflow.collect.command_secrets import HERE_STRING, PIPED, PROGRAMS
from selflow.collect.secret_names import (
    NAME,
    NAME_NEEDLES,
    PASSWORD_NEEDLES,
    SECRET,
    VALUE,
    Replace,
    SecretPattern,
    keep_prefix,
)
from selflow.collect.written_secrets import ASSIGNED, MARKUP, PLAIN_WORD, WRITTEN

EMAIL, CARD, IBAN, HEX, UUID = "<EMAIL>", "<CARD>", "<IBAN>", "<HEX>", "<UUID>"


def _slot(slot: str) -> Replace:
    return lambda _: slot


_HEADER = SecretPattern(
    ("cookie", "authorization", "x-"),
    re.compile(
        r"""(?P<prefix>(?:(?:set-)?cookie|(?:proxy-)?authorization|x-[\w-]{0,40}(?:key|token|auth|secret)[\w-]{0,40})"""
        r"""\s*:\s*)[^"'\s][^"'\r\n]*""",
        re.IGNORECASE,
    ),
    lambda match: f"{match['prefix']}{SECRET}",
)
_FLAG = SecretPattern(
    NAME_NEEDLES,
    re.compile(
        rf"""(?P<prefix>(?<![\w-])--?[\w-]{{0,60}}?{NAME}(?:\s+|\\?["']\s*,\s*))(?!-|\d?<<<){VALUE}""",
        re.IGNORECASE,
    ),
    keep_prefix,
)
"""``--password X``, also as two members of a list: ``["--password", "X"]``."""
_SCHEME = SecretPattern(
    ("bearer", "basic"),
    re.compile(
        r"(?i:(?P<prefix>\b(?:bearer|basic)\s+))"
        r"(?=[^\s\d=+/_.-]*+[\d=+/_.-]|[^\sa-z]*+[a-z][^\sA-Z]*+[A-Z])(?P<value>[\w.~+/=-]{8,})"
    ),
    keep_prefix,
)

# --- In a sentence: "the password for the door is X".
_PHRASE = SecretPattern(
    PASSWORD_NEEDLES,
    re.compile(
        r"(?P<prefix>(?<![\w<-])(?:pass(?:word|wort|phrase|code)|pass|pwd|pw|pin|otp|psk|secret)"
        r"(?:\s(?:code|for|of|to|at|on|von|f\u00fcr)(?:\s[\w.@/-]{1,40}){1,3}?)?"
        rf"\s(?:is|was|ist|war|lautet)(?:\s?:)?\s)(?!{PLAIN_WORD}){VALUE}",
        re.IGNORECASE,
    ),
    keep_prefix,
)


# --- URLs: credentials become a slot, queries go.
_WEB_SCHEMES = ("http://", "https://", "ws://", "wss://")
"""Their paths may hold an ``@``; elsewhere what stands before an ``@`` is a user."""


def _plain_url(match: re.Match[str]) -> str:
    scheme, body = match[1], match[2]
    authority = re.split(r"[/?#]", body, maxsplit=1)[0]
    name, colon, port = authority.rpartition(":")
    has_path = body[len(authority) :].startswith("/") and scheme.lower() in _WEB_SCHEMES
    is_port = name and port.isdigit() and (has_path or "@" not in body)
    has_password = ":" in authority.rpartition("@")[0] or (colon and not is_port)
    end = (body if has_password else authority).rfind("@")
    if end >= 0 and body[:end] != "git":
        body = f"{SECRET}{body[end:]}"
    body = body.split("?", 1)[0]
    anchor, _, fragment = body.partition("#")
    return scheme + (anchor if "=" in fragment else body)


_URL = SecretPattern(
    ("://",),
    re.compile(r"""((?<![A-Za-z0-9+.-])[A-Za-z][A-Za-z0-9+.-]{0,40}://)([^\s"'`]*)"""),
    _plain_url,
)
_QUERY = SecretPattern(
    ("?",), re.compile(r"""(?<=[\w/.~-])\?[\w.%\[\]~-]{1,100}=[^\s"'`]*"""), _slot("")
)

# --- Tokens that show their maker.
_PRIVATE_KEY = SecretPattern(
    ("-----begin",),
    re.compile(
        r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z0-9 "
        r"]{0,60}-----|\Z)",
        re.DOTALL,
    ),
    _slot(SECRET),
)
_KNOWN = tuple(
    SecretPattern(tuple(needles.split()), re.compile(pattern), _slot(SECRET))
    for needles, pattern in {
        "akia": r"AKIA[A-Z0-9]{16}",
        "asia": r"ASIA[A-Z0-9]{16}",
        "ghp_ gho_ ghu_ ghs_ ghr_": r"gh[pousr]_[A-Za-z0-9]{30,}",
        "github_pat_": r"github_pat_\w{20,}",
        "glpat- glptt- gldt- glrt- glsoat- glcbt- glft- glagent-": (
            r"gl(?:pat|ptt|dt|rt|soat|cbt|ft|agent)-[\w-]{16,}"
        ),
        "xox": r"xox[a-z]-[A-Za-z0-9-]{10,}",
        "xapp-": r"xapp-[A-Za-z0-9-]{10,}",
        "hooks.slack.com": r"hooks\.slack\.com/\S+",
        "aiza": r"AIza[\w-]{30,}",
        "ya29.": r"ya29\.[\w.-]{10,}",
        "gocspx-": r"GOCSPX-[\w-]{20,}",
        "sk-": r"(?<![A-Za-z0-9])sk-(?:(?:ant|proj|svcacct|or|admin)-[\w-]{10,}|[A-Za-z0-9]{16,})",
        "k_live_ k_test_ k_prod_": r"[sprw]k_(?:live|test|prod)_[A-Za-z0-9]{8,}",
        "whsec_": r"whsec_[A-Za-z0-9+/=]{8,}",
        "eyj": r"(?<![\w-])(?>[\w-]*?eyJ)[\w-]{6,}+(?:\.[\w-]*+){1,4}",
        "npm_": r"npm_[A-Za-z0-9]{30,}",
        "pypi-": r"pypi-[\w-]{30,}",
        "hf_": r"hf_[A-Za-z0-9]{30,}",
        "sg.": r"SG\.[\w-]{16,}\.[\w-]{16,}",
        "dop_v1_": r"dop_v1_[0-9a-f]{32,}",
        "sf_": r"sf_[\w-]{40,}",
    }.items()
)

# --- Things that are not secrets by themselves but name a person, an account or one object.
_FILE_ENDINGS = (
    "conf|gmo|header|insert|mount|po|scope|sed|service|sin|slice|socket|swap|target|timer"
)
"""No top-level domains: ``user@0.service``, ``en@quot.header`` are files."""
_EMAIL = SecretPattern(
    ("@", "%40"),
    re.compile(
        r"(?<![\w.%+-])(?!git@)[\w.%+-]+(?:@|%40)(?:[\w-]+\.)+"
        rf"(?!(?:{_FILE_ENDINGS})(?!\w))[^\W\d_]{{2,}}"
    ),
    _slot(EMAIL),
)
UUID_RUN = SecretPattern(
    (),
    re.compile(
        r"(?<![0-9A-Za-z])[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}(?![0-9A-Za-z])"
    ),
    _slot(UUID),
)
HEX_RUN = SecretPattern(
    (),
    re.compile(
        r"(?<![0-9A-Za-z])(?:0x)?(?:[0-9a-fA-F]{32,}|(?=[0-9]*[a-fA-F])(?=[a-fA-F]*[0-9])[0-9a-fA-F]{16,31})"
        r"(?![0-9A-Za-z])"
    ),
    _slot(HEX),
)
DECISION_ID = re.compile(r"dec_[0-9a-f]{20}")
"""An id of ours; it opens nothing."""

SHAPES = (
    _PRIVATE_KEY,
    _HEADER,
    _URL,
    _QUERY,
    _SCHEME,
    *_KNOWN,
    PIPED,
    HERE_STRING,
    *MARKUP,
    ASSIGNED,
    *WRITTEN,
    _FLAG,
    *PROGRAMS,
    _PHRASE,
    _EMAIL,
)
"""Tried in this order."""
