"""Names that announce a secret, in many languages, and the values that stand behind them."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

SECRET = "<SECRET>"  # noqa: S105  (a slot)
Replace = Callable[[re.Match[str]], str]


@dataclass(frozen=True, slots=True)
class SecretPattern:
    """One kind of secret. ``replace`` answers the text that takes the place of a match.

    ``needles`` are lower-case substrings of which at least one stands in every text that the
    pattern can match: ``needles.NeedleScan`` finds those of all patterns in one scan.
    """

    needles: tuple[str, ...]
    pattern: re.Pattern[str]
    replace: Replace

    def apply(self, text: str) -> str:
        """The text with every match replaced."""
        return self.pattern.sub(self.replace, text)


def keep_prefix(match: re.Match[str]) -> str:
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


def _spellings(names: Iterable[str]) -> str:
    """One of the names, by its first letter: a text is compared with few of them at each place.

    Spaces between the words of a name may be written ``_``, ``-``, or left out.
    """
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(name[0], []).append(name[1:].replace(" ", r"[\s_-]?"))
    branches = "|".join(f"{first}(?:{'|'.join(rest)})" for first, rest in groups.items())
    return f"(?=[{''.join(groups)}])(?:{branches})"


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_FOREIGN = _words(
    """
    contraseña contrasena contrasenya kennwort geheimzahl losungswort zugangscode wachtwoord
    lösenord losenord passord adgangskode kodeord salasana tunnussana hasło slaptažodis
    slaptazodis jelszó jelszo parolă şifre nenosiri pasahitza парол лозинк κωδικός
    συνθηματικό 密码 密碼 口令 パスワード 暗証番号 비밀번호 암호 סיסמה סיסמא
    पासवर्ड รหัสผ่าน گذرواژه رمزعبور
    """
)
_FOREIGN_SPACED = (
    "mot de passe",
    "palavra passe",
    "mật khẩu",
    "mat khau",
    "kata sandi",
    "كلمة المرور",
    "كلمة السر",
    "رمز عبور",
)
_FOREIGN_SHORT = _words(
    "clave mdp senha haslo heslo lozinka geslo parool parole parola sifre hasla"
)
"""These stand inside other words (``enclave``) or are words: they count between word edges only."""

LONG_NAMES = (
    r"(?:(?=[pscael])(?:p(?:ass(?:w(?:or)?[dt]|wd|phrase|code)|wd)|s(?:(?<!<s)ecret|ession[_-]?id)"
    r"|c(?:redential|ookie)|(?:a(?:pi|ccess|ccount|uth)|private|signing|encryption|license)[_-]?key)"
    rf"|{_spellings([*_FOREIGN, *_FOREIGN_SPACED])})[\w-]{{0,40}}"
)
SHORT_NAMES = r"(?=[tap])(?:token|auth(?:orization)?|(?<!by)(?<!com)pass)(?![a-z])\d{0,3}"
_TINY_NAMES = (
    r"(?:(?<![a-z])|(?-i:(?<=[a-z])(?=[A-Z])))"
    rf"(?:pw|pin|otp|cv[vc]2?|psk|session|{_spellings(_FOREIGN_SHORT)})"
    r"(?:(?![a-z])|(?-i:(?=[A-Z])))"
)
"""Words that stand inside many others (``spin``, ``ping``): they count between word edges only."""
_FIRST = "".join(
    sorted({*"pscaeltok", *(name[0] for name in (*_FOREIGN, *_FOREIGN_SPACED, *_FOREIGN_SHORT))})
)
NAME = rf"(?=[{_FIRST}])(?:{LONG_NAMES}|{SHORT_NAMES}|{_TINY_NAMES})"
_FOREIGN_NEEDLES = (
    *_FOREIGN, *_FOREIGN_SHORT, *(name.split()[-1] for name in _FOREIGN_SPACED),
)  # fmt: skip
PASSWORD_NEEDLES = ("pass", "pwd", "pw", "pin", "otp", "secret", "psk")
NAME_NEEDLES = (
    *PASSWORD_NEEDLES, "credential", "cookie", "session", "key", "token", "auth", "cv",
    *_FOREIGN_NEEDLES,
)  # fmt: skip
PASSWORD_WORD = (
    rf"(?:pass(?:w(?:or)?[dt]|phrase|code)?|pwd|pw|pin|{_spellings([*_FOREIGN, *_FOREIGN_SPACED])})"
)
"""A word for what opens something; one of ``NAME_NEEDLES`` stands in it."""
VALUE = r"""(?P<value>"(?:[^"\\]|\\.)*"?|'[^']*'?|[<$]\([^()\n]{0,400}+\)?|\S+)"""
"""A value: quoted, what another command prints (``$(…)``), or up to the next space."""
SENSITIVE_NAME = re.compile(NAME, re.IGNORECASE)
"""A key of ``data`` that matches holds a secret, whatever its value looks like."""
