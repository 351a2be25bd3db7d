"""Forty questions over the bundled stream: every figure is what a plain scan of it finds."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from actors.demo.lines import load_lines
from actors.demo.sample import load
from selflow.core.codec import encode_record
from selflow.core.events import Event
from selflow.search.asking import Request, SearchPlace, ask
from selflow.search.records import Answer, Wanted
from selflow.testing import ManualClock, MemoryLog
from tests.unit.search import scan as world
from tests.unit.search.scan import Scan, Test, Value

Figures = Callable[..., list[Value]]
FILES, COMMANDS, DOCUMENTS = world.is_file, world.is_command, world.is_document
MANUAL = world.subject("MANUAL.txt")
HTML = "src/Text/Pandoc/Readers/HTML.hs"

QUESTIONS: list[tuple[str, Wanted, Figures, tuple[Test, ...]]] = [
    # how many
    ("How many files did I change in 2020?", "count", Scan.count, (FILES, world.year(2020))),
    (
        "how many commits did I make in May 2020",
        "count",
        Scan.count,
        (FILES, world.month(2020, 5)),
    ),
    ("How often did I change MANUAL.txt?", "count", Scan.count, (MANUAL,)),
    (
        "how many times did I edit pandoc.cabal last year?",
        "count",
        Scan.count,
        (world.subject("pandoc.cabal"), world.year(2025)),
    ),
    (
        "number of changes in the reader between 3 and 20 May 2020",
        "count",
        Scan.count,
        (FILES, world.holds("reader"), world.days("2020-05-03", "2020-05-20")),
    ),
    (
        "how many files did I delete in 2015",
        "count",
        Scan.count,
        (FILES, world.action("D"), world.year(2015)),
    ),
    (
        "How many documents did I create in test/docx/ since 2018?",
        "count",
        Scan.count,
        (DOCUMENTS, world.action("A"), world.under("test/docx"), world.days("2018", "2100")),
    ),
    ("how many commands did I run on 14 May 2020?", "count", Scan.count, (COMMANDS,)),
    ("how often did I run nmap", "count", Scan.count, (COMMANDS, world.holds("nmap"))),
    (
        "how many files in the src folder before 2014",
        "count",
        Scan.count,
        (FILES, world.under("src"), world.days("1970", "2013-12-31")),
    ),
    ("How many events were there in total?", "count", Scan.count, ()),
    (
        'how many changes of "docx golden" after 2021',
        "count",
        Scan.count,
        (FILES, world.under("docx/golden"), world.days("2022", "2100")),
    ),
    # when
    ("When did I last change MANUAL.txt?", "last", Scan.last, (MANUAL,)),
    (f"when did I first touch {HTML}", "first", Scan.first, (world.subject(HTML),)),
    (
        "when did I last edit something in data/templates/ ?",
        "last",
        Scan.last,
        (FILES, world.under("data/templates")),
    ),
    (
        "what was the latest commit last month?",
        "last",
        Scan.last,
        (FILES, world.month(2026, 6)),
    ),
    ("the first command I ran", "first", Scan.first, (COMMANDS,)),
    ("when did I run ssh?", "last", Scan.last, (COMMANDS, world.holds("ssh"))),
    (
        "earliest change in the writer in 2016",
        "first",
        Scan.first,
        (FILES, world.holds("writer"), world.year(2016)),
    ),
    (
        "When was stack.yaml changed for the first time?",
        "first",
        Scan.first,
        (world.subject("stack.yaml"),),
    ),
    # which
    ("which files did I change most in 2019?", "items", Scan.items, (FILES, world.year(2019))),
    ("which files do I change the most", "items", Scan.items, (FILES,)),
    (
        "what are my top documents since January 2024?",
        "items",
        Scan.items,
        (DOCUMENTS, world.days("2024", "2100")),
    ),
    ("which commands did I run most often?", "items", Scan.items, (COMMANDS,)),
    (
        "which files in src/Text/Pandoc/Writers/ did I change most from March to May 2017?",
        "items",
        Scan.items,
        (world.under("src/Text/Pandoc/Writers"), world.days("2017-03-01", "2017-05-31")),
    ),
    (
        "which files did I add in the docx reader?",
        "items",
        Scan.items,
        (FILES, world.action("A"), world.holds("docx"), world.holds("reader")),
    ),
    # what happened
    (
        "what did I change last week?",
        "count",
        Scan.count,
        (FILES, world.days("2026-07-13", "2026-07-19")),
    ),
    ("what did I do since Monday", "count", Scan.count, (world.days("2026-07-20", "2100"),)),
    ("what happened yesterday?", "count", Scan.count, (world.days("2026-07-21", "2026-07-21"),)),
    (
        "what did I change last March?",
        "items",
        Scan.items,
        (FILES, world.month(2026, 3)),
    ),
    (
        "docx writer in 2014",
        "count",
        Scan.count,
        (world.holds("docx"), world.holds("writer"), world.year(2014)),
    ),
    # days
    ("which was my busiest day in 2021?", "days", Scan.days, (world.year(2021),)),
    (
        "on how many days did I change MANUAL.txt in 2018?",
        "days",
        Scan.days,
        (MANUAL, world.year(2018)),
    ),
    (
        "commits per day between 2019-03-25 and 2019-04-05",
        "days",
        Scan.days,
        (world.days("2019-03-25", "2019-04-05"),),
    ),
    # gaps
    (
        "what was the longest gap between commits in 2018?",
        "gap",
        Scan.gap,
        (FILES, world.year(2018)),
    ),
    ("the longest time without a change of MANUAL.txt", "gap", Scan.gap, (MANUAL,)),
    ("longest break between commands", "gap", Scan.gap, (COMMANDS,)),
    # together
    (
        "what came together with AUTHORS.md?",
        "together",
        Scan.together,
        (world.subject("AUTHORS.md"),),
    ),
    (
        "which files came in the same session as cabal.project in 2023?",
        "together",
        Scan.together,
        (world.subject("cabal.project"), world.year(2023)),
    ),
    (
        "what changed alongside data/templates/ in 2017",
        "together",
        Scan.together,
        (world.under("data/templates"), world.year(2017)),
    ),
]


@dataclass(frozen=True)
class Bundled:
    scan: Scan
    where: SearchPlace


@pytest.fixture(scope="module")
def bundled(tmp_path_factory: pytest.TempPathFactory) -> Bundled:
    events: list[Event] = [*load().events, *(line.event() for line in load_lines())]
    log = MemoryLog()
    log.append("demo", 1, [encode_record(event) for event in events])
    clock = ManualClock(round(world.NOW.timestamp() * 1e6))
    folder = tmp_path_factory.mktemp("asked") / "derived"
    return Bundled(Scan(events), SearchPlace(folder, log, clock, world.ZONE))


def figures(answer: Answer, wanted: Wanted) -> list[Value]:
    """A fact's labels and numbers; moments where it is about a moment."""
    (fact,) = [fact for fact in answer.facts if fact.wanted == wanted]
    if wanted in {"first", "last"}:
        return [(value.label, value.ts_us or 0) for value in fact.values]
    plain = [(value.label, value.number) for value in fact.values]
    return plain + [("from", value.ts_us) for value in fact.values if value.ts_us is not None]


def test_there_are_forty_questions() -> None:
    assert len({text for text, *_ in QUESTIONS}) == 40


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "wanted", "figures_of", "tests"), QUESTIONS, ids=[text for text, *_ in QUESTIONS]
)
def test_each_figure_is_what_a_plain_scan_finds(
    bundled: Bundled, text: str, wanted: Wanted, figures_of: Figures, tests: tuple[Test, ...]
) -> None:
    answer = ask(Request(text), bundled.where)

    assert figures(answer, wanted) == figures_of(bundled.scan, *tests)
