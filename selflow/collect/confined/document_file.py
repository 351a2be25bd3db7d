"""The text of a document. Runs in the child, whose limits hold for it."""

import email
import email.policy
import posixpath
import re
import zipfile
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from html.parser import HTMLParser
from io import BytesIO
from typing import BinaryIO
from xml.etree import ElementTree as ET

from selflow.collect.confined.exchange import Answer, RefusedFileError, Request

MAX_FILE_BYTES = 50_000_000
MAX_UNPACKED_BYTES = 100_000_000
"""Of all that is unpacked of one file; a zip bomb has more."""
_CHUNK_BYTES = 1_000_000
_SPACES, _LINES = re.compile(r"[^\S\n]+"), re.compile(r"\s*\n\s*")
_JAPANESE = re.compile("[぀-ヿ一-鿿]")
_HIDDEN = frozenset({"script", "style", "template", "head", "noscript"})
_BLOCKS = frozenset({"p", "div", "br", "li", "tr", "h1", "h2", "h3", "h4", "h5", "h6", "td"})


def read_document(file: BinaryIO, request: Request) -> Answer:
    """The text of a document, cut at ``max_characters``.

    Raises:
        RefusedFileError: It is too large, or of a kind that is not known.
    """
    content = file.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise RefusedFileError(f"is larger than {MAX_FILE_BYTES // 1_000_000} MB")
    title, text = READERS[request.kind](content)
    text = _LINES.sub("\n", _SPACES.sub(" ", text.replace("\0", ""))).strip()
    return Answer(
        text=text[: request.max_characters], title=title.strip()[:300], characters=len(text)
    )


def decoded(content: bytes) -> str:
    """Text by its own signs: a byte order mark, UTF-8, Shift-JIS if it reads as Japanese, or
    Western.
    """
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", "replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    japanese = content.decode("cp932", "ignore")
    if len(_JAPANESE.findall(japanese)) * 4 > len(japanese):
        return japanese
    return content.decode("cp1252", "replace")


class _HtmlText(HTMLParser):
    """What a browser would show."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self.title = ""
        self._hidden = 0
        self._is_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        self._is_title = tag == "title"
        self._hidden += tag in _HIDDEN
        if tag in _BLOCKS:
            self.pieces.append("\n")

    def handle_endtag(self, tag: str) -> None:
        self._is_title = False
        self._hidden = max(0, self._hidden - (tag in _HIDDEN))

    def handle_data(self, data: str) -> None:
        if self._is_title:
            self.title += data
        elif not self._hidden:
            self.pieces.append(data)


def _plain(content: bytes) -> tuple[str, str]:
    return "", decoded(content)


def _html(content: bytes) -> tuple[str, str]:
    parser = _HtmlText()
    parser.feed(decoded(content))
    return parser.title, "".join(parser.pieces)


class _Archive:
    """A zip file whose members are unpacked up to a limit in all."""

    def __init__(self, content: bytes) -> None:
        self._zip = zipfile.ZipFile(BytesIO(content))
        self._left_bytes = MAX_UNPACKED_BYTES

    def names(self, pattern: str) -> list[str]:
        matching = [name for name in self._zip.namelist() if re.fullmatch(pattern, name)]
        return sorted(matching, key=lambda name: (len(name), name))

    def read(self, name: str) -> bytes:
        pieces = []
        with self._zip.open(name) as member:
            while piece := member.read(_CHUNK_BYTES):
                self._left_bytes -= len(piece)
                if self._left_bytes < 0:
                    limit_mb = MAX_UNPACKED_BYTES // 1_000_000
                    raise RefusedFileError(f"unpacks to more than {limit_mb} MB")
                pieces.append(piece)
        return b"".join(pieces)

    def xml(self, name: str) -> ET.Element:
        content = self.read(name)
        if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
            raise RefusedFileError("declares entities, which no office program writes")
        return ET.fromstring(content)  # noqa: S314  (without entities, in a child with limits)


def _texts(root: ET.Element, words: str, breaks: frozenset[str]) -> Iterator[str]:
    for element in root.iter():
        tag = element.tag.rpartition("}")[2]
        if tag == words:
            yield element.text or ""
        elif tag in breaks:
            yield "\n"


def _docx(content: bytes) -> tuple[str, str]:
    archive = _Archive(content)
    parts = archive.names(r"word/(document|footnotes|endnotes|comments)\.xml")
    breaks = frozenset({"p", "br", "tab"})
    return "", "\n".join("".join(_texts(archive.xml(part), "t", breaks)) for part in parts)


def _pptx(content: bytes) -> tuple[str, str]:
    archive = _Archive(content)
    slides = archive.names(r"ppt/(slides/slide|notesSlides/notesSlide)\d+\.xml")
    return "", "\n".join("".join(_texts(archive.xml(s), "t", frozenset({"p"}))) for s in slides)


def _xlsx(content: bytes) -> tuple[str, str]:
    archive = _Archive(content)
    shared: list[str] = []
    for name in archive.names(r"xl/sharedStrings\.xml"):
        items = [element for element in archive.xml(name) if element.tag.endswith("}si")]
        shared = ["".join(_texts(item, "t", frozenset())) for item in items]
    rows: list[str] = []
    for name in archive.names(r"xl/worksheets/sheet\d+\.xml"):
        rows += [
            "\t".join(_cell(cell, shared) for cell in row)
            for row in archive.xml(name).iter()
            if row.tag.endswith("}row")
        ]
    return "", "\n".join(rows)


def _cell(cell: ET.Element, shared: list[str]) -> str:
    value = next((element.text or "" for element in cell if element.tag.endswith("}v")), "")
    if cell.get("t") == "s":
        return shared[int(value)] if value else ""
    return value or "".join(_texts(cell, "t", frozenset()))


def _epub(content: bytes) -> tuple[str, str]:
    archive = _Archive(content)
    pages = [_html(archive.read(name)) for name in archive.names(r".*\.x?html?")]
    return next((title for title, _ in pages if title), ""), "\n".join(text for _, text in pages)


def _mail(content: bytes) -> tuple[str, str]:
    message = email.message_from_bytes(content, policy=email.policy.default)
    body = message.get_body(("plain", "html")) if isinstance(message, EmailMessage) else None
    if body is None:
        return str(message.get("Subject", "")), ""
    raw = body.get_payload(decode=True)
    charset = body.get_content_charset() or "utf-8"
    plain = raw.decode(charset, "replace") if isinstance(raw, bytes) else ""
    is_html = body.get_content_subtype() == "html"
    return str(message.get("Subject", "")), _html(plain.encode())[1] if is_html else plain


def _pdf(content: bytes) -> tuple[str, str]:
    try:
        from pypdf import PdfReader
    except ImportError as error:
        raise RefusedFileError("is a PDF: pip install 'selflow[documents]'") from error
    reader = PdfReader(BytesIO(content))
    if reader.is_encrypted and not reader.decrypt(""):
        raise RefusedFileError("is locked by a password")
    title = reader.metadata.title if reader.metadata else ""
    return str(title or ""), "\n".join(page.extract_text() for page in reader.pages)


READERS: dict[str, Callable[[bytes], tuple[str, str]]] = {
    **dict.fromkeys(("txt", "md", "markdown", "rst", "org", "csv", "tsv"), _plain),
    **dict.fromkeys(("html", "htm", "xhtml"), _html),
    "docx": _docx,
    "pptx": _pptx,
    "xlsx": _xlsx,
    "epub": _epub,
    "eml": _mail,
    "pdf": _pdf,
}
"""By the ending of a file's name: content to title and text."""


def kind_of(path: str) -> str:
    """The reader's name for a path; empty if there is none."""
    ending = posixpath.splitext(path)[1][1:].lower()
    return ending if ending in READERS else ""
