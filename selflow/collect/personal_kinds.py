"""Kinds of personal data that the owner switches on and off (``privacy.redact_kinds``).

A number is believed where it has the form that people write it in and, where its kind has one, the
right check digit: nine digits alone are nothing.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import cache, partial
from importlib.resources import files
from ipaddress import ip_address

from selflow.collect.checksums import luhn_holds
from selflow.collect.secret_names import SECRET
from selflow.core.settings import RedactKind

PHONE, ID, ADDRESS = "<PHONE>", "<ID>", "<ADDRESS>"
Rule = Callable[[str], str]

# --- Phone numbers.
_MIN_PHONE_DIGITS, _MAX_PHONE_DIGITS = 8, 15
_INTERNATIONAL = re.compile(r"(?<![\w.+/-])\+[1-9](?:[ ./()-]{0,2}[0-9]){7,16}(?![\w])")
_TEL_URI = re.compile(r"(?<=\btel:)\+?[0-9(][0-9()./ -]{4,20}[0-9]")
_NORTH_AMERICAN = re.compile(
    r"(?<![\w.+/-])(?:\([2-9][0-9]{2}\) ?[2-9][0-9]{2}-[0-9]{4}"
    r"|[2-9][0-9]{2}([-.])[2-9][0-9]{2}\1[0-9]{4})"
    r"(?![\w/-]|\.\w)"
)
_NAMED_PHONE = re.compile(
    r"(?P<name>(?<![a-z])(?:phone|mobile|telephone|telefon|t\u00e9l\u00e9phone|tel|fax|handy|cell"
    r"(?:phone)?|whatsapp)"
    r"""(?:[ _-]?(?:number|nr|no))?\\?["']?\s?[:=.]{1,2}\s?["']?)\+?[0-9(][0-9()./ -]{4,20}[0-9]""",
    re.IGNORECASE,
)
PHONE_KEY = re.compile(
    r"(?:\w{1,20}[_-])?(?:phone|mobile|telephone|telefon|tel|fax|cell(?:phone)?)(?:[_-]?(?:number|nr|no))?",
    re.IGNORECASE,
)
"""A key of ``data`` that holds a phone number."""
_PHONE_VALUE = re.compile(r"\+?[0-9(][0-9()./ -]{4,20}[0-9]")


_SIX_DIGITS = re.compile(r"[0-9](?:[^0-9\n]{0,2}[0-9]){5}")
"""Stands in every number that the rules believe; most texts are passed by with it."""


def replace_phones(text: str) -> str:
    """Numbers with a country code, in the North American form, or behind a name become
    ``<PHONE>``.
    """
    if _SIX_DIGITS.search(text) is None:
        return text
    if "+" in text:
        text = _INTERNATIONAL.sub(_phone_in, text)
    if "tel:" in text:
        text = _TEL_URI.sub(PHONE, text)
    return _NAMED_PHONE.sub(rf"\g<name>{PHONE}", _NORTH_AMERICAN.sub(PHONE, text))


def is_phone(value: object) -> bool:
    """Whether a text or a number is nothing but what could be a phone number."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return False
    return _PHONE_VALUE.fullmatch(str(value).strip()) is not None


def _phone_in(match: re.Match[str]) -> str:
    digits = sum(char.isdigit() for char in match[0])
    return PHONE if _MIN_PHONE_DIGITS <= digits <= _MAX_PHONE_DIGITS else match[0]


# --- National identity numbers.
def _is_date(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def _weighted(digits: str, weights: Sequence[int]) -> int:
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False))


def _spanish_holds(number: str) -> bool:
    """DNI and NIE: the letter is the number modulo 23."""
    digits = number[:-1].replace("-", "").translate(str.maketrans("XYZ", "012"))
    return "TRWAGMYFPDXBNJZSQVHLCKE"[int(digits) % 23] == number[-1]


def _german_tax_holds(number: str) -> bool:
    """Steuer-ID: ISO 7064, MOD 11,10; of the first ten digits exactly one comes twice or thrice."""
    digits = number.replace(" ", "")
    counts = sorted((digits[:10].count(digit) for digit in set(digits[:10])), reverse=True)
    if counts[0] not in {2, 3} or counts[1:2] != [1]:
        return False
    product = 10
    for digit in digits[:10]:
        product = ((int(digit) + product) % 10 or 10) * 2 % 11
    return (11 - product) % 10 == int(digits[10])


def _brazilian_holds(number: str) -> bool:
    """CPF: two check digits modulo 11."""
    digits = re.sub(r"\D", "", number)
    first = _weighted(digits[:9], range(10, 1, -1)) * 10 % 11 % 10
    second = _weighted(digits[:10], range(11, 1, -1)) * 10 % 11 % 10
    return digits[9:] == f"{first}{second}" and len(set(digits)) > 1


def _polish_holds(number: str) -> bool:
    """PESEL: a date of birth, the century in its month, and a check digit."""
    century = {0: 1900, 1: 2000, 2: 2100, 3: 2200, 4: 1800}[int(number[2]) // 2]
    born = (century + int(number[:2]), int(number[2:4]) % 20, int(number[4:6]))
    check = -_weighted(number[:10], (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)) % 10
    return _is_date(*born) and check == int(number[10])


def _swedish_holds(number: str) -> bool:
    """Personnummer: a date of birth and Luhn."""
    digits = re.sub(r"\D", "", number)[-10:]
    return _is_date(2000 + int(digits[:2]), int(digits[2:4]), int(digits[4:6])) and luhn_holds(
        digits
    )


def _finnish_holds(number: str) -> bool:
    """Henkil\u00f6tunnus: a date of birth and a check character modulo 31."""
    rest = int(number[:6] + number[7:10]) % 31
    born = _is_date(2000 + int(number[4:6]), int(number[2:4]), int(number[:2]))
    return born and "0123456789ABCDEFHJKLMNPRSTUVWXY"[rest] == number[10]


def _swiss_holds(number: str) -> bool:
    """AHV: the check digit of EAN-13."""
    digits = number.replace(".", "")
    return -_weighted(digits[:12], (1, 3) * 6) % 10 == int(digits[12])


def _french_holds(number: str) -> bool:
    """NIR: 97 less the number modulo 97; Corsica's departments count as 19 and 18."""
    plain = number.replace(" ", "").upper().replace("2A", "19").replace("2B", "18")
    return 97 - int(plain[:13]) % 97 == int(plain[13:])


def _chinese_holds(number: str) -> bool:
    """GB 11643: a date of birth and ISO 7064, MOD 11-2."""
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    born = _is_date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    return born and "10X98765432"[_weighted(number[:17], weights) % 11] == number[17].upper()


_ODD = dict(
    zip(
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        (
            *(1, 0, 5, 7, 9, 13, 15, 17, 19, 21),
            *(1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25),
            *(24, 23),
        ),
        strict=True,
    )
)


def _italian_holds(number: str) -> bool:
    """Codice fiscale: its last letter checks the fifteen before."""
    total = sum(_ODD[char] for char in number[:15:2])
    total += sum(int(char) if char.isdigit() else ord(char) - 65 for char in number[1:15:2])
    return chr(65 + total % 26) == number[15]


_EDGE, _END = r"(?<![\w.+/-])", r"(?![\w/-]|\.\w)"
_NATIONAL: tuple[tuple[re.Pattern[str], Callable[[str], bool]], ...] = tuple(
    (re.compile(f"{_EDGE}(?:{pattern}){_END}"), holds)
    for pattern, holds in (
        (r"(?!000|666|9)[0-9]{3}-(?!00)[0-9]{2}-(?!0000)[0-9]{4}", lambda _: True),  # US SSN
        (r"(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?(?:[0-9]{2} ?){3}[A-D]",
         lambda _: True),  # UK National Insurance
        (r"(?:[0-9]{8}|[XYZ]-?[0-9]{7})-?[A-HJ-NP-TV-Z]", _spanish_holds),
        (r"[1-9][0-9]{10}|[1-9][0-9] [0-9]{3} [0-9]{3} [0-9]{3}", _german_tax_holds),
        (r"[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}", _brazilian_holds),
        (r"[0-9]{11}", _polish_holds),
        (r"(?:19|20)?[0-9]{6}[-+][0-9]{4}", _swedish_holds),
        (r"[0-9]{6}[-+A-FU-Y][0-9]{3}[0-9A-FHJ-NPR-Y]", _finnish_holds),
        (r"756\.[0-9]{4}\.[0-9]{4}\.[0-9]{2}", _swiss_holds),
        (r"[12] ?[0-9]{2} ?(?:0[1-9]|1[0-2]|[2-9][0-9]) ?[0-9][0-9AB](?: ?[0-9]{3}){2} ?[0-9]{2}",
         _french_holds),
        (r"[1-9][0-9]{5}(?:19|20)[0-9]{9}[0-9Xx]", _chinese_holds),
        (r"[A-Z]{6}[0-9LMNP-V]{2}[A-EHLMPR-T][0-9LMNP-V]{2}[A-Z][0-9LMNP-V]{3}[A-Z]",
         _italian_holds),
    )
)  # fmt: skip


def replace_national_ids(text: str) -> str:
    """Identity, tax and insurance numbers of twelve countries become ``<ID>``."""
    if _SIX_DIGITS.search(text) is None:
        return text
    for pattern, holds in _NATIONAL:
        text = pattern.sub(partial(_id_in, holds), text)
    return text


def _id_in(holds: Callable[[str], bool], match: re.Match[str]) -> str:
    return ID if holds(match[0]) else match[0]


# --- Addresses of the Internet.
_V4 = re.compile(r"(?<![\w.-])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![\w-]|\.\w)")
_V6 = re.compile(r"(?<![\w.:])(?=[0-9A-Fa-f]*:[0-9A-Fa-f:]*:)[0-9A-Fa-f:]{3,39}(?![\w:]|\.\w)")


def replace_public_addresses(text: str) -> str:
    """IP addresses that can be reached from everywhere become ``<ADDRESS>``; private ones stay."""
    if text.count(".") >= 3:
        text = _V4.sub(_address_in, text)
    if text.count(":") > 1:
        text = _V6.sub(_address_in, text)
    return text


def _address_in(match: re.Match[str]) -> str:
    try:
        is_public = ip_address(match[0]).is_global
    except ValueError:
        is_public = False
    return ADDRESS if is_public else match[0]


# --- Seed phrases of wallets.
_MIN_SEED_WORDS = 12
_BETWEEN_SEEDS = (" ", "\n", "\t", ",", ";", "-")
_SEED_RUN = re.compile(r"(?<![A-Za-z])[A-Za-z]{3,8}(?:[\s\d.,;:)\"'-]{1,8}[A-Za-z]{3,8}){11,}")
_SEED_WORD = re.compile(r"[A-Za-z]+")


@cache
def _seed_words() -> frozenset[str]:
    """The English list of BIP-39."""
    text = files("selflow.collect").joinpath("bip39_english.txt").read_text(encoding="ascii")
    return frozenset(text.split())


def replace_seed_phrases(text: str) -> str:
    """Twelve and more words of the English list of BIP-39 in a row become ``<SECRET>``."""
    between = sum(map(text.count, _BETWEEN_SEEDS))
    return text if between < _MIN_SEED_WORDS - 1 else _SEED_RUN.sub(_seeds_in, text)


def is_seed_phrase(words: Sequence[object]) -> bool:
    """Whether a list is a seed phrase, a word in each place."""
    return len(words) >= _MIN_SEED_WORDS and all(
        isinstance(item, str) and item.lower() in _seed_words() for item in words
    )


def _seeds_in(match: re.Match[str]) -> str:
    text = match[0]
    known = _seed_words()
    pieces: list[str] = []
    done = 0
    run: list[re.Match[str]] = []
    for item in [*_SEED_WORD.finditer(text), None]:
        if item is not None and item[0].lower() in known:
            run.append(item)
            continue
        if len(run) >= _MIN_SEED_WORDS:
            pieces += [text[done : run[0].start()], SECRET]
            done = run[-1].end()
        run = []
    return "".join(pieces) + text[done:]


KIND_RULES: Mapping[RedactKind, Rule] = {
    "phone": replace_phones,
    "national_id": replace_national_ids,
    "public_address": replace_public_addresses,
    "seed_phrase": replace_seed_phrases,
}
"""Tried in this order."""
