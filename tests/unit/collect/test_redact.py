"""Redaction: nothing planted survives, nothing ordinary changes, twice is once."""

import json
import random
import string
import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from selflow.collect.checksums import iban_holds, luhn_holds, replace_cards, replace_ibans
from selflow.collect.decoding import plain_text
from selflow.collect.entropy import replace_random
from selflow.collect.needles import NeedleScan
from selflow.collect.personal_kinds import KIND_RULES
from selflow.collect.redact import PassThrough, SlotRedactor, make_redactor
from selflow.collect.secret_names import SENSITIVE_NAME, SecretPattern
from selflow.collect.secret_patterns import HEX_RUN, SHAPES, UUID_RUN
from selflow.core.codec import event_to_json
from selflow.core.events import Event, Json
from selflow.core.ids import new_id
from selflow.core.settings import PrivacySettings
from tests.unit.collect.secrets_world import ANNOUNCED, PLACES, SECRETS

REDACTOR = SlotRedactor()
_EXAMPLES_PER_KIND = 8
_campaign = settings(
    max_examples=_EXAMPLES_PER_KIND,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)

ORDINARY = """
src/Text/Pandoc/Readers/LaTeX/Parsing.hs
test/odt/native/listContinueNumbering2.native
tests/Tests/Writers/Native.hs
test/command/7473.md
datasette/templates/_codemirror_foot.html
docs/decisions/0005-redaction-and-ingest.md
/usr/share/perl/5.36.0/unicore/lib/InPC/TopAndL2.pl
/usr/share/maven-repo/org/apache/maven/maven-core/3.8.7/maven-core-3.8.7.jar
/usr/share/man/man3/idn2_to_unicode_8z8z.3.gz
/usr/lib/x86_64-linux-gnu/libstdc++.so.6.0.30
~/.config/systemd/user/selflow.service
node_modules/@babel/plugin-transform-modules-commonjs/lib/index.js
app/src/main/java/org/example/AbstractSingletonProxyFactoryBean.java
getUserAccountInformationById
Screenshot 2026-01-02 at 10.20.30.png
ls -la
cd ../..
git commit -m 'Fix the parser of nested lists'
git clone git@github.com:jgm/pandoc.git
git checkout 7efc3d18
git push origin feature/token-bucket
mkdir -p build/debug
ssh -p 22 root@10.1.26.9
cp -p a b
nmap -sV -p22 10.0.135.83
tar czf backup-2024-05-06.tar.gz notes
grep -rn "password" src
find . -name '*.py' -newer setup.py
docker run --rm -p 8080:80 nginx:1.25
curl https://example.org/path/to/page
pip install 'pathspec>=0.12'
python -m pytest tests/unit/collect -q
kubectl get pods -n kube-system
make setup && make test
echo 1767225600000000
basic understanding of monads
rm -rf /home/u/.cache/thumbnails
psql -h localhost -U postgres shop
sed -i 's/foo/bar/g' README.md
awk '{print $1}' access.log | sort | uniq -c
libqt5sql5_5.15.8+dfsg-11_amd64.deb
test-8000Hz-le-3ch-5S-24bit.wav
s390x-linux50-valgrind-s2.xml
s390x-linux64-valgrind-s1.xml
en@quot.header
/lib/systemd/system/user@0.service.d/10-login-barrier.conf
CMakeFindEclipseCDT4.cmake
/usr/share/fonts/truetype/dejavu/DejaVuSansMono-Bold.ttf
ls svvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv
ping host
spin=1
git commit -m 'set session timeout'
git config credential.helper store
the password is required
pinned==2.0
echo foo | sudo tee /etc/x
tmux new -s session
bearer of bad news
cat <<< EOF
set -o vi
name: bob, value: 3
<b>hello</b>
https://host.org:8080/@user/a
aws s3 ls
""".strip().splitlines()


def _shown(event: Event) -> str:
    return json.dumps(event_to_json(event), ensure_ascii=False)


@pytest.mark.parametrize("kind", SECRETS)
def test_no_planted_secret_survives_in_any_place(kind: str) -> None:
    @_campaign
    @given(secret=SECRETS[kind])
    def campaign(secret: str) -> None:
        for place in PLACES.values():
            redacted = REDACTOR.redact(place(secret))

            assert json.dumps(secret)[1:-1] not in _shown(redacted)
            assert REDACTOR.redact(redacted) == redacted

    campaign()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ANNOUNCED)
def test_no_secret_survives_that_its_surroundings_announce(kind: str) -> None:
    drawn, surround = ANNOUNCED[kind]

    @_campaign
    @given(secret=drawn)
    def campaign(secret: str) -> None:
        for place in ("subject", "app", "data", "deep in data", "a key of data"):
            redacted = REDACTOR.redact(PLACES[place](surround(secret)))

            assert secret not in _shown(redacted)
            assert REDACTOR.redact(redacted) == redacted

    campaign()


def test_the_campaigns_plant_more_than_a_thousand_secrets() -> None:
    planted = (len(SECRETS) * len(PLACES) + len(ANNOUNCED) * 5) * _EXAMPLES_PER_KIND

    assert planted >= 2_000
    assert len(SECRETS) + len(ANNOUNCED) >= 65


def test_ordinary_paths_and_commands_stay_as_they_are() -> None:
    changed = [line for line in ORDINARY if REDACTOR.text(line) != line]

    assert changed == []


_BASE62 = string.ascii_letters + string.digits


@pytest.mark.parametrize(
    ("alphabet", "chars", "most_survive"),
    [
        (_BASE62, 16, 0.05),
        (_BASE62, 20, 0.01),
        (_BASE62 + "+/", 24, 0.02),
        (_BASE62 + "-_", 20, 0.02),
        (string.ascii_lowercase + string.digits, 20, 0.06),
        (string.ascii_lowercase + string.digits, 28, 0.01),
        (string.ascii_uppercase + "234567", 20, 0.02),
        (string.ascii_lowercase, 32, 0.03),
        (string.ascii_lowercase, 48, 0.0),
        (_BASE62 + "!@#$%^&*_-+=", 20, 0.05),
    ],
)
def test_few_random_strings_survive_unannounced(
    alphabet: str, chars: int, most_survive: float
) -> None:
    draw = random.Random(11)  # noqa: S311  (a test draws from a seed)
    drawn = ["".join(draw.choices(alphabet, k=chars)) for _ in range(500)]
    survived = sum(each in REDACTOR.text(f"see {each} there") for each in drawn)

    assert survived / len(drawn) <= most_survive


_noisy = st.lists(
    st.one_of(
        st.sampled_from(
            [
                "password=",
                "<SECRET>",
                "<HEX>",
                "://",
                "@",
                "?a=",
                "Bearer ",
                "--token ",
                "mysql -p",
                "/",
                "'",
            ]
        ),
        st.sampled_from(
            [
                '"',
                " ",
                "-",
                ".",
                "4111 1111 1111 1111",
                "DE89370400440532013000",
                "a@b.co",
                "AKIA",
                "#k=",
            ]
        ),
        st.text(max_size=8),
        st.from_regex(r"[A-Za-z0-9+/]{1,24}", fullmatch=True),
    ),
    max_size=8,
).map("".join)


def test_only_an_id_of_ours_in_its_own_key_is_spared() -> None:
    drawn = new_id("dec")
    data = {"decision_id": drawn, "note": drawn, "more": {"decision_id": f"{drawn}0"}}
    redacted = SlotRedactor().redact(Event(0, "shell", "shell.command", drawn, data=data))

    assert redacted.data["decision_id"] == drawn
    assert drawn not in str({**redacted.data, "decision_id": "", "subject": redacted.subject})


@pytest.mark.slow
@settings(max_examples=80, derandomize=True, database=None, deadline=None)
@given(text=_noisy)
def test_redacting_twice_is_redacting_once(text: str) -> None:
    once = REDACTOR.redact(Event(1, "s", "k", text, data={text: [text]}))

    assert REDACTOR.redact(once) == once
    assert SlotRedactor().redact(once) == once


@pytest.mark.parametrize(
    ("text", "slot"),
    [
        ("AKIAABCDEFGHIJKLMNOP", "<SECRET>"),
        ("write to alice@example.org now", "write to <EMAIL> now"),
        ("alice%40example.org", "<EMAIL>"),
        ("4111 1111 1111 1111 5", "<CARD> 5"),
        ("GB82 WEST 1234 5698 7654 32 thanks", "<IBAN> thanks"),
        ("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b", "<HEX>"),
        ("550e8400-e29b-41d4-a716-446655440000", "<UUID>"),
        ("https://host.org/a/b?x=1", "https://host.org/a/b"),
        ("https://bob:pw@host.org/a", "https://<SECRET>@host.org/a"),
        ("https://host.org:8080/@user/a", "https://host.org:8080/@user/a"),
        ("PASSWORD='two words' ls", "PASSWORD='<SECRET>' ls"),
    ],
)
def test_each_kind_has_its_slot(text: str, slot: str) -> None:
    assert REDACTOR.text(text) == slot


def test_a_key_that_names_a_secret_hides_its_value_whatever_it_is() -> None:
    data = {
        "password": "x",
        "auth": {"pin": 1234, "user": ["bob"]},
        "tokens": 12,
        "token": "",
        "cookie": None,
    }

    assert REDACTOR.redact(Event(1, "s", "k", data=data)).data == {
        "password": "<SECRET>",
        "auth": {"pin": "<SECRET>", "user": ["<SECRET>"]},
        "tokens": 12,
        "token": "",
        "cookie": None,
    }


@pytest.mark.parametrize(
    "name", ["pw", "pin", "otp", "cvv", "psk", "session", "userPin", "pinCode"]
)
def test_a_short_key_of_data_hides_its_value(name: str) -> None:
    event = Event(1, "s", "k", data={name: 1234, "spin": 1, "opinion": "x"})

    assert REDACTOR.redact(event).data == {name: "<SECRET>", "spin": 1, "opinion": "x"}


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["tool", "--password", "X y", "run"], ["tool", "--password", "<SECRET>", "run"]),
        (["tool", "--token", 77], ["tool", "--token", "<SECRET>"]),
        (["mysql", "-u", "root", "-p", "X"], ["mysql", "-u", "root", "-p", "<SECRET>"]),
        (
            ["aws", "configure", "set", "aws_secret_access_key", "X"],
            ["aws", "configure", "set", "aws_secret_access_key", "<SECRET>"],
        ),
        (["cp", "-p", "a", "b"], ["cp", "-p", "a", "b"]),
        (["a", 1, None, ["--pin", "X"]], ["a", 1, None, ["--pin", "<SECRET>"]]),
    ],
)
def test_an_argument_that_another_announces_is_a_secret(
    arguments: list[Json], shown: list[Json]
) -> None:
    once = REDACTOR.redact(Event(1, "s", "k", data={"argv": arguments}))

    assert once.data == {"argv": shown}
    assert REDACTOR.redact(once) == once


def test_a_value_beside_the_name_of_a_secret_is_one() -> None:
    data = {"env": [{"name": "DB_PASSWORD", "value": "X"}, {"name": "LANG", "value": "C"}]}

    assert REDACTOR.redact(Event(1, "s", "k", data=data)).data == {
        "env": [{"name": "DB_PASSWORD", "value": "<SECRET>"}, {"name": "LANG", "value": "C"}]
    }


def test_a_card_number_written_as_a_number_is_a_card() -> None:
    data = {
        "n": 4_111_111_111_111_111,
        "m": 4_111_111_111_111_112,
        "t": 1_767_225_600_000_000,
        "yes": True,
        "f": 0.5,
    }

    assert REDACTOR.redact(Event(1, "s", "k", data=data)).data == {**data, "n": "<CARD>"}


def test_keys_that_become_alike_keep_their_values_apart() -> None:
    data = {"a@x.org": 1, "b@x.org": 2}

    assert REDACTOR.redact(Event(1, "s", "k", data=data)).data == {"<EMAIL>": 1, "<EMAIL>#2": 2}


def test_the_event_that_comes_in_is_not_changed() -> None:
    data = {"a": ["bob@x.org"]}
    event = Event(1, "s", "k", "bob@x.org", duration_s=2.5, data=data)
    redacted = REDACTOR.redact(event)

    assert data == {"a": ["bob@x.org"]}
    assert (redacted.ts_us, redacted.duration_s, redacted.subject) == (1, 2.5, "<EMAIL>")


@pytest.mark.setting("privacy.redact_patterns")
def test_the_owners_own_pattern_is_a_secret() -> None:
    redactor = make_redactor(PrivacySettings(redact_patterns=(r"PRJ-\d+", "X")))

    assert (
        redactor.redact(Event(1, "s", "k", "see PRJ-17 today", "X")).subject == "see <SECRET> today"
    )
    assert redactor.redact(Event(1, "s", "k", "X")).subject == "<SECRET>"


def test_redaction_off_is_a_choice_made_in_one_place() -> None:
    event = Event(1, "s", "k", "bob@x.org")
    off = make_redactor(PrivacySettings(anonymize=False, redact_patterns=("bob",)))

    assert isinstance(off, PassThrough)
    assert off.redact(event) is event
    assert isinstance(make_redactor(PrivacySettings()), SlotRedactor)


def test_checksums_know_right_from_wrong() -> None:
    assert luhn_holds("4111111111111111")
    assert not luhn_holds("4111111111111112")
    assert iban_holds("GB82WEST12345698765432")
    assert not iban_holds("GB82WEST12345698765433")
    assert not iban_holds("ZZ82WEST12345698765432")


HOSTILE_STARTS = (
    *("eyJ", "AKIA", "ghp_", "glpat-", "xoxb-", "hooks.slack.com/", "ya29.", "sk-", "sk-ant-"),
    *("sk_live_", "SG.", "sf_", "password", "--password", "token", "--token ", "auth", "cookie"),
    *("x-key", "x-", "authorization:", "bearer ", "basic ", "mysql ", "docker login ", "az login "),
    *("aws configure set token ", "set token ", "curl -u ", "openssl ", "https://", "://", "?a="),
    *("a@", "%40", "a%40", "-----BEGIN PRIVATE KEY-----", "api_key", "pin", "1 ", "DE12", "aB3/"),
    *("0", "deadbeef", "-", "_", "'", '"', "<<<", "sudo -S ", "echo ", "echo a|", "<a>", "</"),
    *("xQ7zK9vB2mW4pL8j//////////", "xQ7zK9vB2mW4pL8j/"),
    *(
        "htpasswd -b a ",
        "vault login ",
        "smbclient //a ",
        "kubectl --from-literal=",
        "net use ",
        "x -p ",
    ),
    *(
        "x -u b -p ",
        "echo a; echo b | passwd",
        "a:b@",
        "\ufeff",
        "%25",
        "&amp;",
        "\\u0025",
        "+4",
        "phone: ",
    ),
    *(
        "<a name='password'>",
        'name="pin"\n\n',
        "set('pin', ",
        "| pin | ",
        "password: !a ",
        "mdp ->",
    ),
    *("identified by ", "login a password ", "assword: send ", "password (", "pin for a "),
    *("name:password value:", "value:a name:", "the password for a ", "password is "),
)
HOSTILE_REPEATS = ("", "a", "A", "aB3", "-", " ", ".", "/", "=", "'", '"', "\\", "|", "eyJ", "\n")
_CHARS = 2_000
_WORST_RATIO = 12.0
"""Four times the text: linear rules take about 4 times as long, quadratic ones 16 times."""


def _where_a_needle_stands(shape: SecretPattern) -> Callable[[str], object]:
    """As the redactor does: other texts are not searched."""
    scan = NeedleScan([shape.needles])
    return lambda text: scan.numbers(text) and shape.apply(text)


SEARCHES: dict[str, Callable[[str], object]] = {
    **{
        f"{index} {shape.needles[0]}": _where_a_needle_stands(shape)
        for index, shape in enumerate(SHAPES)
    },
    "uuid": UUID_RUN.apply,
    "hex": HEX_RUN.apply,
    "cards": replace_cards,
    "ibans": replace_ibans,
    "random": lambda text: replace_random(text, "<SECRET>"),
    "names": SENSITIVE_NAME.search,
    **KIND_RULES,
    "decoding": plain_text,
}


def _hostile_texts(chars: int) -> Iterator[str]:
    """A start and one thing again and again; and both together again and again."""
    for start in HOSTILE_STARTS:
        for unit in HOSTILE_REPEATS:
            yield start + (unit or start) * (chars // len(unit or start))
            yield (start + unit) * (chars // len(start + unit))


def _least_s(search: Callable[[str], object], text: str) -> float:
    """Processor time of the fastest of three: what other programs do to it is left out."""
    spent_s = []
    for _ in range(3):
        began_s = time.process_time()
        search(text)
        spent_s.append(time.process_time() - began_s)
    return min(spent_s)


@pytest.mark.slow
@pytest.mark.parametrize("name", SEARCHES)
def test_every_secret_pattern_takes_linear_time(name: str) -> None:
    search = SEARCHES[name]
    longer = _hostile_texts(4 * _CHARS)
    for text, text4 in zip(_hostile_texts(_CHARS), longer, strict=True):
        began_s = time.process_time()
        search(text)
        if time.process_time() - began_s < 0.002:  # at most 1 us for a character: nothing to grow
            continue
        ratio = _least_s(search, text4) / _least_s(search, text)

        assert ratio < _WORST_RATIO, (text[:20], ratio)


@pytest.mark.parametrize(
    "text",
    ["a" * 16_000, "a-" * 8_000, "password " * 1_800, "mysql " * 2_700, "1 " * 8_000,
     "x@" * 8_000, "DE12" * 4_000, "https://" * 2_000, "-" * 16_000, "aB3/" * 4_000, "?a=" * 5_000,
     "eyJ." * 4_000, "'\"" * 8_000, "%2525" * 3_000, "tel: 1" * 3_000, "abandon " * 2_000,
     "&amp;" * 3_000, "\u200b%61" * 4_000, "htpasswd -b a b c;" * 1_000, "echo a; " * 2_000],
    ids=lambda text: text[:9],
)  # fmt: skip
def test_no_text_is_expensive(text: str) -> None:
    started_s = time.process_time()
    SlotRedactor().text(text)

    assert time.process_time() - started_s < 1.0


def test_the_id_of_a_decision_is_kept_where_feedback_is_joined_by_it() -> None:
    event = Event(
        0,
        "shell",
        "shell.command",
        "git dec_0123456789abcdef0123",
        data={
            "suggestion": {"decision_id": "dec_0123456789abcdef0123", "outcome": "accepted"},
            "decision_id": "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
        },
    )
    redacted = SlotRedactor().redact(event)

    assert redacted.data == {
        "suggestion": {"decision_id": "dec_0123456789abcdef0123", "outcome": "accepted"},
        "decision_id": "<SECRET>",
    }
    assert redacted.subject == "git dec_<HEX>"
