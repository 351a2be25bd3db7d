"""The block in a file of the owner's: between two marks, and removable to the byte. Pure."""

import os
import re

_BEGIN = "# >>> selflow shell >>>"
_END = "# <<< selflow shell <<<"
_NEWLINE_ADDED = "the line before it had no end"
_CREATED = "file made by selflow, folders: "
_BLOCK = re.compile(
    rf"^{_BEGIN}(?: \((?P<how>[^)\n]*)\))?\n.*?^{_END}(?:\n|\Z)".encode(),
    re.MULTILINE | re.DOTALL,
)


def has_block(content: bytes | None) -> bool:
    """Whether the block stands in a file."""
    return content is not None and _BLOCK.search(content) is not None


def with_block(content: bytes | None, line: str, folders: int) -> bytes:
    """The file with the block at its end, or in the place of an older one.

    Args:
        content: None if there is no such file.
        line: What the shell is to run.
        folders: How many folders above a new file have to be made.
    """
    if content is not None and (block := _BLOCK.search(content)):
        how = (block["how"] or b"").decode()
        return content[: block.start()] + _block(line, how) + content[block.end() :]
    if content is None:
        return _block(line, f"{_CREATED}{folders}")
    if content and not content.endswith(b"\n"):
        return content + b"\n" + _block(line, _NEWLINE_ADDED)
    return content + _block(line, "")


def without_block(content: bytes | None) -> tuple[bytes | None, int]:
    """The file as it was before, None if there was none, and how many folders were made for it."""
    block = _BLOCK.search(content) if content is not None else None
    if content is None or block is None:
        return content, 0
    how = (block["how"] or b"").decode()
    before, after = content[: block.start()], content[block.end() :]
    if how == _NEWLINE_ADDED and before.endswith(b"\n") and not after:
        before = before[:-1]
    if how.startswith(_CREATED) and not before + after:
        folders = how.removeprefix(_CREATED)
        return None, int(folders) if folders.isdecimal() else 0
    return before + after, 0


def _block(line: str, how: str) -> bytes:
    noted = f" ({how})" if how else ""
    return os.fsencode(f"{_BEGIN}{noted}\n{line}\n{_END}\n")
