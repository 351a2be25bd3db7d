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
from collections.abc import Callable
from dataclasses import dataclass

SECRET, EMAIL, CARD, IBAN, HEX, UUID = "<SECRET>", "<EMAIL>", "<CARD>", "<IBAN>", "<HEX>", "<UUID>"

Replace = Callable[[re.Match[str]], str]


@dataclass(frozen=True, slots=True)
class SecretPattern:
    """One kind of secret. ``replace`` answers the text that takes the place of a match."""

    needles: tuple[str, ...]
    pattern: re.Pattern[str]
    replace: Replace

    def apply(self, text: str) -> str:
        """The text with every match replaced."""
        return self.pattern.sub(self.replace, text)


def _slot(slot: str) -> Replace:
    return lambda _: slot


def _keep_prefix(match: re.Match[str]) -> str:
    """``prefix`` stays readable, the value becomes a slot between the quotes or brackets it stood
    in.
    """
    prefix, value = match["prefix"], match["value"]
    quote = value[0] if value[0] in "\"'" else ""
    core = value.strip("\"'") if quote else value.rstrip("\"'\\)]},;")
    if not core:
        return match[0]
    tail = value[len(core) :] if not quote else quote * (len(value) > 1 and value.endswith(quote))
    return f"{prefix}{quote}{SECRET}{tail}"


# --- Names that announce a secret: `password=…`, `--token …`, {"api_key": …}.
_LONG_NAMES = (
    r"(?:passw(?:or)?[dt]|passwd|passphrase|passcode|pwd|(?<!<)secret|credential|cookie|session[_-]?id"
    r"|(?:api|access|private|account|signing|encryption|auth|license)[_-]?key)[\w-]{0,40}"
)
_SHORT_NAMES = r"(?:token|auth|(?<!by)(?<!com)pass|authorization)(?![a-z])\d{0,3}"
_TINY_NAMES = (
    r"(?:(?<![a-z])|(?-i:(?<=[a-z])(?=[A-Z])))(?:pw|pin|otp|cv[vc]2?|psk|session)"
    r"(?:(?![a-z])|(?-i:(?=[A-Z])))"
)
"""Words that stand inside many others (``spin``, ``ping``): they count between word edges only."""
_NAME = rf"(?:{_LONG_NAMES}|{_SHORT_NAMES}|{_TINY_NAMES})"
_PASSWORD_NEEDLES = ("pass", "pwd", "pw", "pin", "otp", "secret", "psk")
_NAME_NEEDLES = (
    *_PASSWORD_NEEDLES, "credential", "cookie", "session", "key", "token", "auth", "cv",
)  # fmt: skip
_VALUE = r"""(?P<value>"(?:[^"\\]|\\.)*"?|'[^']*'?|\S+)"""
SENSITIVE_NAME = re.compile(_NAME, re.IGNORECASE)
"""A key of ``data`` that matches holds a secret, whatever its value looks like."""

_HEADER = SecretPattern(
    ("cookie", "authorization", "x-"),
    re.compile(
        r"""(?P<prefix>(?:(?:set-)?cookie|(?:proxy-)?authorization|x-[\w-]{0,40}(?:key|token|auth|secret)[\w-]{0,40})"""
        r"""\s*:\s*)[^"'\s][^"'\r\n]*""",
        re.IGNORECASE,
    ),
    lambda match: f"{match['prefix']}{SECRET}",
)
_ASSIGNED = SecretPattern(
    _NAME_NEEDLES,
    re.compile(rf"""(?P<prefix>{_NAME}\\?["']?\s*(?:={{1,3}}>?|:=?)\s*){_VALUE}""", re.IGNORECASE),
    _keep_prefix,
)
_FLAG = SecretPattern(
    _NAME_NEEDLES,
    re.compile(
        rf"""(?P<prefix>(?<![\w-])--?[\w-]{{0,60}}?{_NAME}(?:\s+|\\?["']\s*,\s*))(?!-){_VALUE}""",
        re.IGNORECASE,
    ),
    _keep_prefix,
)
"""``--password X``, also as two members of a list: ``["--password", "X"]``."""
_SCHEME = SecretPattern(
    ("bearer", "basic"),
    re.compile(
        r"(?i:(?P<prefix>\b(?:bearer|basic)\s+))"
        r"(?=[^\s\d=+/_.-]*+[\d=+/_.-]|[^\sa-z]*+[a-z][^\sA-Z]*+[A-Z])(?P<value>[\w.~+/=-]{8,})"
    ),
    _keep_prefix,
)

# --- A name here, its value there: {"name": "password", "value": "X"}, <password>X</password>.
NAMING_KEY = re.compile(r"(?:name|key|field|param(?:eter)?|header|variable|env)", re.IGNORECASE)
"""A key of ``data`` whose value may be the name of a secret."""
VALUE_KEY = re.compile(r"(?:value|val|content|text|default)", re.IGNORECASE)
"""A key of ``data`` that holds the value to such a name."""
_QUOTE = r"""\\?["']?"""
_NAMED_PAIR = (
    rf"""(?<![\w-]){NAMING_KEY.pattern}{_QUOTE}\s{{0,9}}[:=]\s{{0,9}}{_QUOTE}"""
    rf"""[\w.-]{{0,40}}?{_NAME}{_QUOTE}"""
)
_VALUE_IS = rf"(?<![\w-]){VALUE_KEY.pattern}{_QUOTE}\s{{0,9}}[:=]\s{{0,9}}"
_NAME_THEN_VALUE = SecretPattern(
    _NAME_NEEDLES,
    re.compile(
        rf"""(?P<prefix>{_NAMED_PAIR}[\s,;]{{1,20}}{_QUOTE}{_VALUE_IS}){_VALUE}""", re.IGNORECASE
    ),
    _keep_prefix,
)
_VALUE_THEN_NAME = SecretPattern(
    _NAME_NEEDLES,
    re.compile(
        rf"""(?P<prefix>{_VALUE_IS})(?P<value>"[^"\\]{{1,400}}"|'[^'\\]{{1,400}}'|[^\s,"']{{1,400}})"""
        rf"(?=[\s,;]{{1,20}}{_QUOTE}{_NAMED_PAIR})",
        re.IGNORECASE,
    ),
    _keep_prefix,
)


def _element(match: re.Match[str]) -> str:
    if SENSITIVE_NAME.search(match["tag"]) is None:
        return match[0]
    return f"{match['prefix']}{SECRET}"


_ELEMENT = SecretPattern(
    ("</",),
    re.compile(
        r"(?P<prefix><(?P<tag>[\w.:-]{1,80})(?:\s[^<>]{0,200})?>)[^<>]{1,2000}+(?=</(?P=tag)\s*>)"
    ),
    _element,
)

# --- In a sentence: "the password for the door is X".
_PLAIN_WORD = (
    r"(?:(?:not|no|now|too|so|very|still|also|only|being|never|always|already|an?|the|that|this|to"
    r"|in|on|as|for|from|by|at|of|per|what|where|why|how|if|my|your|his|her|its|our|their|set|sent"
    r"|required|needed|missing|empty|blank|wrong|incorrect|correct|invalid|valid|weak|strong|long"
    r"|short|expired|changed|reset|stored|saved|shown|hidden|hashed|encrypted|unknown|known|optional"
    r"|mandatory|used|unused|bad|good|gone|lost|ok|okay|same|different|safe|exposed|leaked|visible"
    r"|checked|asked|typed|entered|given|available|supported|deprecated|ignored|protected|read"
    r"|kept)(?![\w-]))"
)
_PHRASE = SecretPattern(
    _PASSWORD_NEEDLES,
    re.compile(
        r"(?P<prefix>(?<![\w<-])(?:pass(?:word|wort|phrase|code)|pass|pwd|pw|pin|otp|psk|secret)"
        r"(?:\s(?:code|for|of|to|at|on|von|f\u00fcr)(?:\s[\w.@/-]{1,40}){1,3}?)?"
        rf"\s(?:is|was|ist|war|lautet)(?:\s?:)?\s)(?!{_PLAIN_WORD}){_VALUE}",
        re.IGNORECASE,
    ),
    _keep_prefix,
)


# --- Flags whose meaning depends on the program: `mysql -pX`, `curl -u user:X`.
def _program(names: str, flag: str, *, inside: str = "") -> SecretPattern:
    """``inside``: what the command must hold before ``flag``. A command is searched once."""
    value = re.compile(rf"(?P<prefix>(?<=\s){flag}){_VALUE}")
    gate = re.compile(rf"(?<=\s)(?:{inside})(?=\s)") if inside else None

    def replace(match: re.Match[str]) -> str:
        command = match[0]
        start = 0
        if gate is not None:
            opened = gate.search(command)
            if opened is None:
                return command
            start = opened.end()
        return command[:start] + value.sub(_keep_prefix, command[start:])

    return SecretPattern(
        tuple(name if len(name) > 3 else f"{name} " for name in names.split("|")),
        re.compile(rf"(?<![\w-])(?:{names})(?=\s)[^|;&\n]*+"),
        replace,
    )


_SETTING_NAME = rf"(?i:{_LONG_NAMES}|{_SHORT_NAMES}|requirepass)"
_PROGRAMS = (
    _program("mysql|mysqldump|mysqladmin|mysqlimport|mariadb|sshpass|7z|7za", r"-p\s*"),
    _program("docker|podman|helm|oc|az", r"-p\s+", inside="login"),
    _program("mongo|mongosh|mongodump", r"-p\s+"),
    _program("zip|unzip|sqlcmd|bcp", r"-P\s*"),
    _program("curl|wget|http|https|smbclient", r"(?:-u|-U|--user|-a)\s*(?=\S*[:%])"),
    _program("redis-cli|ldapsearch|ldapmodify", r"(?:-a|-w)\s*"),
    _program("openssl", r"-pass(?:in|out)?\s+"),
    _program(
        "aws|npm|pnpm|yarn|pip|pip3|poetry|git|gcloud|gh|redis-cli|composer|conda|heroku",
        rf"[\w./:@-]{{0,100}}?{_SETTING_NAME}\s+(?!-)",
        inside="config|configure|CONFIG|set",
    ),
    _program("setenv|setx|set", rf"(?:-\w+\s+)?\w{{0,60}}?{_SETTING_NAME}\s+(?!-)"),
)

# --- A password that a pipe hands over: `echo X | sudo -S …`.
_ASKS = (
    r"(?:sudo\s(?:[^|;&\n]{0,200}?\s)??(?:-[A-Za-z]{0,9}S|--stdin)(?![\w-])"
    r"|(?:ch|smb|ht|vnc)?passwd\b|cryptsetup\s|kinit\b)"
)
_TAKES_STDIN = r"[^|;&\n]{1,200}?\s--(?:password-stdin|stdin|passphrase-fd)(?![\w-])"
_PIPED = SecretPattern(
    ("echo", "printf"),
    re.compile(
        r"(?P<prefix>(?<![\w./-])(?:echo|printf)\s{1,9}(?:-[neE]{1,3}\s{1,9}){0,3})"
        r"""(?:"[^"\n]{1,400}"|'[^'\n]{1,400}'|[^|;&\n]{1,400}+)"""
        rf"(?=\s{{0,9}}\|\s{{0,9}}(?:[\w./-]{{0,100}}/)?(?:{_ASKS}|{_TAKES_STDIN}))"
    ),
    lambda match: f"{match['prefix']}{SECRET} ",
)
_HERE_STRING = SecretPattern(
    ("<<<",),
    re.compile(rf"(?P<prefix>(?<![\w.-]){_ASKS}[^|;&\n<]{{0,200}}<<<\s{{0,9}}){_VALUE}"),
    _keep_prefix,
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
    _NAME_THEN_VALUE,
    _VALUE_THEN_NAME,
    _ELEMENT,
    _ASSIGNED,
    _FLAG,
    _PIPED,
    _HERE_STRING,
    *_PROGRAMS,
    _PHRASE,
    _EMAIL,
)
"""Tried in this order."""
NEEDLES = tuple((needle, index) for index, shape in enumerate(SHAPES) for needle in shape.needles)
"""Which of ``SHAPES`` may match at all: (lower-case substring, place)."""
