"""Documents: their text, each version once, and no file that hurts."""

import zipfile
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from selflow.collect.confined.document_file import READERS, kind_of
from selflow.collect.confined.exchange import Request
from selflow.collect.confined.runner import read_confined
from selflow.collect.documents import DocumentReader
from selflow.collect.rooted import DocumentsAt
from selflow.core.errors import StoreError
from selflow.predict.steps import StepBuilder
from tests.unit.collect.parsing import read_here
from tests.unit.collect.test_browser import Log

NOW_US = 4_000_000_000_000_000
W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
A = "http://schemas.openxmlformats.org/drawingml/2006/main"
S = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def _reader(folder: Path, **options: Any) -> DocumentReader:
    section = DocumentsAt(
        type="documents",
        paths=(str(folder / "papers"),),
        positions=str(folder / "positions"),
        copies=str(folder / "copies"),
        **options,
    )
    return DocumentReader(section, "/home/me", read_here)


def _look(reader: DocumentReader, log: Log) -> list[int | str]:
    return list(reader.read(log, NOW_US, is_last=False))


def _paper(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / "papers" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def _zip(folder: Path, name: str, members: dict[str, str]) -> Path:
    path = folder / name
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return path


def _pdf(text: str) -> bytes:
    stream = f"BT /F1 12 Tf 20 100 Td ({text}) Tj ET"
    objects = [
        "<</Type/Catalog/Pages 2 0 R>>",
        "<</Type/Pages/Kids[3 0 R]/Count 1>>",
        (
            "<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 200]/Contents 4 0 R"
            "/Resources<</Font<</F1 5 0 R>>>>>>"
        ),
        f"<</Length {len(stream)}>>stream\n{stream}\nendstream",
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    content, places = "%PDF-1.4\n", []
    for number, each in enumerate(objects, 1):
        places.append(len(content))
        content += f"{number} 0 obj{each}endobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    return (
        f"{content}xref\n0 6\n0000000000 65535 f \n{table}"
        f"trailer<</Size 6/Root 1 0 R>>\nstartxref\n{len(content)}\n%%EOF"
    ).encode()


def _example(folder: Path, kind: str) -> Path:
    """A document of a kind that says "green tea"."""
    path = folder / f"example.{kind}"
    page = "<html><head><title>T</title><style>x</style></head><body><p>green <b>tea</b></body>"
    archives = {
        "docx": {
            "word/document.xml": f'<d xmlns="{W}"><p><r><t>green</t></r><r><t> tea</t></r></p></d>'
        },
        "pptx": {"ppt/slides/slide1.xml": f'<d xmlns="{A}"><p><t>green tea</t></p></d>'},
        "xlsx": {
            "xl/sharedStrings.xml": f'<d xmlns="{S}"><si><t>green tea</t></si></d>',
            "xl/worksheets/sheet1.xml": f'<d xmlns="{S}"><row><c t="s"><v>0</v></c></row></d>',
        },
        "epub": {"OEBPS/one.xhtml": page},
    }
    if kind in archives:
        return _zip(folder, path.name, archives[kind])
    mail = EmailMessage()
    mail["Subject"] = "Hi"
    mail.set_content("green tea")
    content = {
        "pdf": _pdf("green tea"),
        "eml": bytes(mail),
        **dict.fromkeys(("html", "htm", "xhtml"), page.encode()),
    }
    path.write_bytes(content.get(kind, b"green tea"))
    return path


@pytest.mark.parametrize("kind", ["pdf", "docx", "pptx", "xlsx", "epub", "eml", "html", "csv"])
def test_text_is_taken_from_each_kind_of_document(kind: str, tmp_path: Path) -> None:
    assert read_here(_example(tmp_path, kind), Request(kind, 1_000)).text == "green tea"


@pytest.mark.slow
def test_a_document_is_read_by_a_child(tmp_path: Path) -> None:
    answer = read_confined(_example(tmp_path, "docx"), Request("docx", 5))

    assert (answer.text, answer.characters) == ("green", 9)


def test_every_kind_that_is_read_is_known_by_its_ending() -> None:
    assert all(kind_of(f"/a/B.{kind.upper()}") == kind for kind in READERS)
    assert kind_of("/a/b.exe") == ""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp932"])
def test_japanese_tables_are_read_in_their_encodings(encoding: str, tmp_path: Path) -> None:
    path = _paper(tmp_path, "t.csv", "名前,住所\n山田,東京都\n".encode(encoding))

    assert read_here(path, Request("csv", 99)).text == "名前,住所\n山田,東京都"


def _bomb(folder: Path) -> Path:
    return _zip(folder, "bomb.docx", {"word/document.xml": "0" * 120_000_000})


def _entities(folder: Path) -> Path:
    levels = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    text = f'<!DOCTYPE d [<!ENTITY e0 "lol">{levels}]><d>&e9;</d>'
    return _zip(folder, "laughs.docx", {"word/document.xml": text})


HOSTILE = {
    "a zip bomb": (_bomb, "unpacks to more than 100 MB"),
    "exploding entities": (_entities, "declares entities"),
    "half a PDF": (lambda folder: _paper(folder, "h.pdf", _pdf("green")[:200]), "is damaged"),
    "no PDF at all": (lambda folder: _paper(folder, "n.pdf", b"\xff" * 999), "is damaged"),
    "half a DOCX": (lambda folder: _paper(folder, "h.docx", b"PK\x03\x04rest"), "is damaged"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_file_is_refused_by_name(what: str, tmp_path: Path) -> None:
    make, why = HOSTILE[what]
    path = make(tmp_path)
    with pytest.raises(StoreError) as caught:
        read_here(path, Request(path.suffix[1:], 1_000))

    assert str(caught.value).startswith(f"{path} {why}")


GREEDY = """
from selflow.collect.confined.child import confine
confine()
print('{}' if bytearray(2_000_000_000) else '')
"""


@pytest.mark.slow
def test_a_file_that_needs_too_much_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("selflow.collect.confined.runner._START", GREEDY)
    with pytest.raises(StoreError, match="is damaged"):
        read_confined(_paper(tmp_path, "a.txt", "x"), Request("txt", 10))


@pytest.mark.slow
def test_a_file_that_needs_too_much_time_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("selflow.collect.confined.runner.TIMEOUT_S", 0.001)
    with pytest.raises(StoreError, match="takes longer than is allowed"):
        read_confined(_paper(tmp_path, "a.txt", "x"), Request("txt", 10))


def test_each_version_is_stored_once(tmp_path: Path) -> None:
    log = Log()
    _paper(tmp_path, "a.md", "one")
    _look(_reader(tmp_path), log)
    _look(_reader(tmp_path), log)
    _paper(tmp_path, "a.md", "two and more")
    _look(_reader(tmp_path), log)

    assert [event.data["text"] for event in log.events] == ["one", "two and more"]


def test_a_version_is_not_read_again_after_a_restart(tmp_path: Path) -> None:
    offered = 0

    def count(*_: object) -> bool:
        nonlocal offered
        offered += 1
        return True

    _paper(tmp_path, "a.md", "one")
    for _ in range(2):
        list(_reader(tmp_path).read(count, NOW_US, is_last=False))

    assert offered == 1


def test_a_lost_answer_repeats_no_document(tmp_path: Path) -> None:
    log = Log()
    _paper(tmp_path, "a.md", "one")
    log.lost_answers = 1
    with pytest.raises(KeyboardInterrupt):
        _look(_reader(tmp_path), log)
    _look(_reader(tmp_path), log)

    assert len(log.events) == 1


def test_a_refused_batch_is_offered_again_later(tmp_path: Path) -> None:
    log = Log()
    log.refusals = 1
    _paper(tmp_path, "a.md", "one")
    reader = _reader(tmp_path)
    _look(reader, log)
    _look(reader, log)

    assert len(log.events) == 1


def test_a_long_document_comes_in_parts_up_to_a_limit(tmp_path: Path) -> None:
    log = Log()
    _paper(tmp_path, "a.md", "x" * 50_000)
    _look(_reader(tmp_path, max_characters=7_000), log)

    assert [len(str(event.data["text"])) for event in log.events] == [3_000, 3_000, 1_000]
    assert {event.data["characters"] for event in log.events} == {50_000}


def test_noise_and_exclusions_are_not_read(tmp_path: Path) -> None:
    log = Log()
    for name in ("a.md", "b.md", "c.exe"):
        _paper(tmp_path, name, "text")
    (tmp_path / "papers/node_modules").mkdir()
    (tmp_path / "papers/node_modules/d.md").write_text("text")
    _look(_reader(tmp_path, exclude=("b.*",)), log)

    assert [Path(event.subject).name for event in log.events] == ["a.md"]


def test_a_damaged_document_disturbs_no_other(tmp_path: Path) -> None:
    log = Log()
    bad = _paper(tmp_path, "a.docx", b"PK")
    _paper(tmp_path, "b.md", "fine")
    reader = _reader(tmp_path)
    outcome = _look(reader, log)
    again = _look(reader, log)

    assert [event.data["text"] for event in log.events] == ["fine"]
    assert any(str(each).startswith(f"{bad} is damaged") for each in outcome)
    assert any(str(each).startswith(f"{bad} is damaged") for each in again)


def test_a_documents_text_is_no_step(tmp_path: Path) -> None:
    log = Log()
    _paper(tmp_path, "a.md", "one")
    _look(_reader(tmp_path), log)
    builder = StepBuilder()

    assert [builder.feed(event) for event in log.events] == [[]]
    assert builder.close() == []
