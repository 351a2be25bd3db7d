"""Personal data of the kinds that the owner switches: found by form and check digit, or left."""

import random

import pytest

from selflow.collect.redact import SlotRedactor, make_redactor
from selflow.core.events import Event
from selflow.core.settings import PrivacySettings, RedactKind

PHONES = (
    "+49 170 1234567",
    "+1 (555) 234-5678",
    "+441632960961",
    "(415) 555-2671",
    "415-555-2671",
    "tel:0301234567",
    "phone: 0170 1234567",
    "Mobile = 0170/1234567",
)
IDS = {
    "US, social security": "123-45-6789",
    "UK, national insurance": "AB 12 34 56 C",
    "ES, DNI": "12345678Z",
    "ES, NIE": "X1234567L",
    "DE, tax": "86 095 742 719",
    "BR, CPF": "529.982.247-25",
    "PL, PESEL": "44051401359",
    "SE, personnummer": "811218-9876",
    "FI, henkilotunnus": "131052-308T",
    "CH, AHV": "756.9217.0769.85",
    "FR, NIR": "2 55 08 14 168 025 38",
    "CN, resident": "11010519491231002X",
    "IT, codice fiscale": "RSSMRA85T10A562S",
}
"""Numbers that the issuers or encyclopaedias publish as examples; nobody bears them."""
SEED = "legal winner thank year wave sausage worth useful legal winner thank yellow"
"""The second test vector of BIP-39."""
ORDINARY = (
    "git log -n 20 --since 2024-05-06",
    "1767225600000000 1767225600",
    "make -j8 test && echo 12345678",
    "chmod +x run.sh; date +%s; kill -9 12345",
    "pip install numpy==1.26.4 torch==2.9.1",
    "2026-01-02T10:20:30.123456",
    "build 20260102-1234 of release 4.5.6-7",
    "the quick brown fox jumps over the lazy dog and runs into the deep dark wood of old",
    "src/a1b2/0005-redaction_123-45.md",
)


def _only(*kinds: RedactKind) -> SlotRedactor:
    return SlotRedactor(kinds=kinds)


@pytest.mark.parametrize("phone", PHONES)
def test_a_phone_number_becomes_a_slot(phone: str) -> None:
    shown = _only("phone").text(f"call {phone} now")

    assert "<PHONE>" in shown
    assert phone[-7:] not in shown


@pytest.mark.parametrize("number", IDS.values(), ids=IDS)
def test_a_national_number_becomes_a_slot(number: str) -> None:
    assert _only("national_id").text(f"id {number} of bob") == "id <ID> of bob"


@pytest.mark.parametrize(
    "number", [number for name, number in IDS.items() if name[:2] not in {"US", "UK"}]
)
def test_a_number_with_a_wrong_check_digit_is_none(number: str) -> None:
    last = number[-1]
    wrong = number[:-1] + (chr(ord(last) + 1) if last not in "9XZ" else {"9": "0"}.get(last, "A"))

    assert "<ID>" not in _only("national_id").text(f"id {wrong} of bob")


def test_public_addresses_become_slots_and_private_ones_stay() -> None:
    text = "ping 8.8.8.8 2606:4700:4700::1111 10.0.0.1 192.168.1.1 ::1 12:30:45"

    assert (
        _only("public_address").text(text)
        == "ping <ADDRESS> <ADDRESS> 10.0.0.1 192.168.1.1 ::1 12:30:45"
    )


@pytest.mark.parametrize(
    "written",
    [
        SEED,
        SEED.upper(),
        SEED.replace(" ", "\n"),
        ", ".join(SEED.split()),
        "\n".join(f"{place}. {word}" for place, word in enumerate(SEED.split(), 1)),
    ],
    ids=["plain", "capitals", "lines", "commas", "numbered"],
)
def test_a_seed_phrase_is_a_secret(written: str) -> None:
    shown = _only("seed_phrase").text(f"my wallet: {written}!")

    assert "<SECRET>" in shown
    assert not any(word in shown.lower() for word in SEED.split())


def test_a_seed_phrase_in_a_list_and_a_phone_number_in_a_key_are_found() -> None:
    data = {"words": SEED.split(), "phone": "0170 1234567", "mobile_number": 491701234567}
    redactor = SlotRedactor(kinds=("phone", "seed_phrase"))

    assert redactor.redact(Event(1, "s", "k", data=data)).data == {
        "words": ["<SECRET>"] * 12,
        "phone": "<PHONE>",
        "mobile_number": "<PHONE>",
    }


def test_ordinary_numbers_and_sentences_stay() -> None:
    redactor = SlotRedactor(kinds=("national_id", "phone", "public_address", "seed_phrase"))

    assert [text for text in ORDINARY if redactor.text(text) != text] == []


def test_few_random_numbers_are_taken_for_national_ones() -> None:
    draw = random.Random(5)  # noqa: S311  (a test draws from a seed)
    numbers = [str(draw.randrange(10 ** (n - 1), 10**n)) for n in (9, 10, 11, 12, 13, 16) * 300]
    redactor = _only("national_id", "phone")

    taken = sum(redactor.text(number) in {"<ID>", "<PHONE>"} for number in numbers)

    assert taken / len(numbers) <= 0.01


@pytest.mark.setting("privacy.redact_kinds")
def test_the_owner_chooses_which_kinds_are_replaced() -> None:
    event = Event(1, "s", "k", f"+49 170 1234567 12345678Z 8.8.8.8 {SEED}")
    chosen = make_redactor(PrivacySettings(redact_kinds=("public_address",)))
    default = make_redactor(PrivacySettings())

    assert chosen.redact(event).subject == f"+49 170 1234567 12345678Z <ADDRESS> {SEED}"
    assert default.redact(event).subject == "<PHONE> <ID> 8.8.8.8 <SECRET>"
