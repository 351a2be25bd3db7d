"""Card numbers and IBANs: found by their shape, believed by their checksum."""

import re

from selflow.collect.secret_patterns import CARD, IBAN

_DIGITS = re.compile(r"(?<![0-9])[0-9](?:[ ._-]?[0-9]){11,}")
_ISSUED = re.compile(
    r"4\d{12}(?:\d{3}){0,2}"  # Visa
    r"|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}"  # Mastercard
    r"|3[47]\d{13}|3(?:0[0-5]|[689]\d)\d{11}|35\d{14}"  # American Express, Diners, JCB
    r"|6\d{12,18}|5[06-8]\d{10,17}"  # Discover, UnionPay, Maestro
)
_GROUP = re.compile(r"[0-9]+")
_MIN_CARD_DIGITS, _MAX_CARD_DIGITS = 12, 19
_ACCOUNT = re.compile(r"(?<![A-Za-z0-9])([A-Za-z]{2})[0-9]{2}(?:[ -]?[A-Za-z0-9]){11,30}")
_LENGTHS = dict(
    re.findall(
        r"([A-Z]{2})(\d{2})",
        "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 "
        "DE22 DJ27 DK18 DO28 EE20 EG29"
        " ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 "
        "IL23 IQ23 IS26 IT27 JO30 KW30 KZ20"
        " LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 "
        "NI28 NL18 NO15 OM23 PK24 PL28 PS29"
        " PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 "
        "TL23 TN24 TR26 UA29 VA22 VG24 XK20"
        " YE30",
    )
)


def luhn_holds(digits: str) -> bool:
    """Whether the check digit of a card number is right.

    One random number in ten passes, which is why ``_ISSUED`` asks for the prefix of an issuer too.

    Args:
        digits: ASCII digits only, the check digit last.

    Source: ISO/IEC 7812-1, annex B (Luhn): every second digit from the right counts double, its
    digits added; the sum is a multiple of ten.
    """
    total = 0
    for index, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + index % 2)
        total += value - 9 * (value > 9)
    return total % 10 == 0


def iban_holds(account: str) -> bool:
    """Whether length and checksum of an IBAN are right; one random text in 97 of the right length
    and form passes.

    Args:
        account: Letters and digits without spaces, in any case.

    Source: ISO 13616-1, with the lengths of the SWIFT registry: country and check digits go to the
    end, letters count 10 to 35 (A to Z), and the number is 1 modulo 97 (ISO 7064, MOD 97-10).
    """
    account = account.upper()
    if str(len(account)) != _LENGTHS.get(account[:2]):
        return False
    return int("".join(str(int(char, 36)) for char in account[4:] + account[:4])) % 97 == 1


def replace_cards(text: str) -> str:
    """Card numbers, in one piece or in groups, become ``<CARD>``."""
    return _DIGITS.sub(_cards_in, text)


def replace_ibans(text: str) -> str:
    """IBANs, in one piece or in groups, become ``<IBAN>``."""
    return _ACCOUNT.sub(_iban_in, text)


def _cards_in(match: re.Match[str]) -> str:
    """Try stretches of whole groups, the longest first: a date or a count may stand beside the
    number.
    """
    text = match[0]
    groups = [group.span() for group in _GROUP.finditer(text)]
    pieces: list[str] = []
    taken = first = 0
    while first < len(groups):
        last = _card_end(text, groups, first)
        if last:
            pieces += [text[taken : groups[first][0]], CARD]
            taken = groups[last - 1][1]
        first = max(last, first + 1)
    return "".join(pieces) + text[taken:]


def _card_end(text: str, groups: list[tuple[int, int]], first: int) -> int:
    """The index after the last group of the longest card number that begins with group ``first``,
    or 0.
    """
    digits, end = "", 0
    for index in range(first, len(groups)):
        digits += text[slice(*groups[index])]
        if len(digits) > _MAX_CARD_DIGITS:
            break
        if len(digits) >= _MIN_CARD_DIGITS and _ISSUED.fullmatch(digits) and luhn_holds(digits):
            end = index + 1
    return end


def _iban_in(match: re.Match[str]) -> str:
    """Take as many characters as the country's accounts have; words may follow the number."""
    text = match[0]
    length = int(_LENGTHS.get(match[1].upper(), 0))
    taken = [index for index, char in enumerate(text) if char.isalnum()]
    if not 0 < length <= len(taken):
        return text
    end = taken[length - 1] + 1
    glued = end < len(text) and text[end].isalnum()
    return (
        text
        if glued or not iban_holds("".join(filter(str.isalnum, text[:end])))
        else IBAN + text[end:]
    )
