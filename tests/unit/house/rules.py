"""The house's rules about its own text, each a function from a tree to its offences."""

import ast
import functools
import os
import re
import statistics
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parents[3]
PACKAGES = ("selflow", "actors", "serve", "tune")

MAX_MODULE_LINES = 400
MAX_FUNCTION_LINES = 60
P90_FUNCTION_LINES = 30
MAX_SHELL_LINES = 120
MAX_PUBLIC_METHODS = 10

_UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK|NotImplementedError)\b")
_TOOLS = {".git", ".venv", "__pycache__", ".hypothesis"}
_NOT_OURS = {*_TOOLS, "build", "dist", "node_modules", "static"}
_MACHINE = re.compile(
    rf"{re.escape(str(HERE))}\b|\.\./shared"
    r"|https?://[^\s\"')]*(?:pypi|pythonhosted|download\.pytorch|conda|npmjs)"
    r"|--(?:extra-)?index-url|--find-links"
)

_WORD = re.compile(r"\w+")
_SHORT_TEXT = 100
_CALLED_BY_OTHERS = {
    "check_health",  # Ray Serve asks a deployment
    "send_400_response",  # uvicorn's protocol, replaced by ours
    "tcp_endpoint",  # a test binds port 0 and must learn which one it got
}

Function = ast.FunctionDef | ast.AsyncFunctionDef


@functools.cache
def modules(root: Path) -> tuple[tuple[Path, str, ast.Module], ...]:
    """Every module of the four packages: its path below the root, its text, its tree."""
    return tuple((path, text, ast.parse(text)) for path, text in module_texts(root))


def module_texts(root: Path) -> Iterator[tuple[Path, str]]:
    """Every module of the four packages: its path below the root, its text."""
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            yield path.relative_to(root), path.read_text(encoding="utf-8")


def _files(root: Path) -> Iterator[Path]:
    for folder, inner, names in os.walk(root):
        inner[:] = sorted(
            name for name in inner if name not in _NOT_OURS and not name.endswith("_cache")
        )
        yield from (Path(folder, name) for name in sorted(names))


def text_files(root: Path) -> Iterator[tuple[Path, str]]:
    """Every file of the tree that is text, with its text."""
    for path in _files(root):
        raw = path.read_bytes()
        if b"\0" not in raw:
            yield path, raw.decode("utf-8", "replace")


def _lines(node: Function | ast.ClassDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _functions(tree: ast.AST) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def _classes(tree: ast.AST) -> Iterator[ast.ClassDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))


def long_modules(root: Path) -> list[str]:
    """Modules over 400 lines."""
    counted = ((path, len(text.splitlines())) for path, text, _ in modules(root))
    return [f"{path}: {lines} lines" for path, lines in counted if lines > MAX_MODULE_LINES]


def long_functions(root: Path) -> list[str]:
    """Functions over 60 lines, docstring and all."""
    return [
        f"{path}:{node.lineno} {node.name}: {_lines(node)} lines"
        for path, _, tree in modules(root)
        for node in _functions(tree)
        if _lines(node) > MAX_FUNCTION_LINES
    ]


def p90_function_lines(root: Path) -> float:
    """The length that nine of ten functions do not exceed."""
    lengths = [_lines(node) for _, _, tree in modules(root) for node in _functions(tree)]
    return statistics.quantiles(lengths, n=10)[8]


def long_shells(root: Path) -> list[str]:
    """Actor shells over 120 lines: they hold a rule of their own."""
    return [
        f"{path}:{node.lineno} {node.name}: {_lines(node)} lines"
        for path, _, tree in modules(root)
        if path.parts[0] == "actors"
        for node in _classes(tree)
        if node.name.endswith("Shell") and _lines(node) > MAX_SHELL_LINES
    ]


def wide_classes(root: Path) -> list[str]:
    """Classes of more than ten public methods; a property is no method."""
    found = []
    for path, _, tree in modules(root):
        for node in _classes(tree):
            public = [
                item.name
                for item in node.body
                if isinstance(item, Function)
                and not item.name.startswith("_")
                and not any(
                    isinstance(mark, ast.Name) and mark.id == "property"
                    for mark in item.decorator_list
                )
            ]
            if len(public) > MAX_PUBLIC_METHODS:
                found.append(f"{path}:{node.lineno} {node.name}: {len(public)} public methods")
    return found


def unfinished(root: Path) -> list[str]:
    """Words that stand for work not done, and functions without a body outside protocols.

    A docstring alone is a body: it says why there is nothing to do.
    """
    found = [
        f"{path}:{number} {match.group()}"
        for path, text, _ in modules(root)
        for number, line in enumerate(text.splitlines(), 1)
        if (match := _UNFINISHED.search(line))
    ]
    for path, _, tree in modules(root):
        shapes = {id(item) for node in _classes(tree) if _is_shape(node) for item in node.body}
        found += [
            f"{path}:{node.lineno} {node.name}: no body"
            for node in _functions(tree)
            if id(node) not in shapes and not _is_overload(node) and _is_empty(node.body[-1])
        ]
    return found


def _is_shape(node: ast.ClassDef) -> bool:
    return any(isinstance(base, ast.Name) and base.id in {"Protocol", "ABC"} for base in node.bases)


def _is_overload(node: Function) -> bool:
    return any(
        isinstance(mark, ast.Name) and mark.id in {"overload", "abstractmethod"}
        for mark in node.decorator_list
    )


def _is_empty(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Pass) or (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and statement.value.value is Ellipsis
    )


def main_blocks(root: Path) -> list[str]:
    """``if __name__ == "__main__"``: running a file puts its folder first on the path, where
    ``serve`` hides serve.
    """
    return [
        f"{path}:{node.lineno} __main__ block"
        for path, _, tree in modules(root)
        for node in ast.walk(tree)
        if isinstance(node, ast.If)
        and any(
            isinstance(part, ast.Name) and part.id == "__name__" for part in ast.walk(node.test)
        )
    ]


def misnamed_test_folders(root: Path) -> list[str]:
    """Test folders that bear a package's name, or have no ``__init__.py``: a ``tests/serve`` can
    swallow ``serve``.
    """
    folders = [
        p for p in (root / "tests").rglob("*") if p.is_dir() and not _NOT_OURS & set(p.parts)
    ]
    taken = {*PACKAGES, "ray"}
    found = [
        f"{folder.relative_to(root)}: bears a package's name"
        for folder in folders
        if folder.name in taken
    ]
    holders = [folder for folder in (root / "tests", *folders) if any(folder.glob("*.py"))]
    return found + [
        f"{p.relative_to(root)}: no __init__.py"
        for p in holders
        if not (p / "__init__.py").is_file()
    ]


def bare_namesakes(root: Path) -> list[str]:
    """Imports in which ``serve`` or ``tune`` could be Ray's or ours; use ``from ray import serve as
    ray_serve``.
    """
    found = []
    for path, _, tree in modules(root):
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                taken = [
                    item.name
                    for item in node.names
                    if item.name in {"serve", "tune", "ray.serve", "ray.tune"}
                ]
            elif isinstance(node, ast.ImportFrom) and node.module == "ray":
                names = {"serve", "tune"}
                taken = [
                    item.name
                    for item in node.names
                    if item.name in names and item.asname != f"ray_{item.name}"
                ]
            else:
                continue
            found += [f"{path}:{node.lineno} import of {name}" for name in taken]
    return found


def machine_traces(root: Path) -> list[str]:
    """The path of this very checkout and hosts of packages, anywhere in the tree but in
    this file.
    """
    return [
        f"{path.relative_to(root)}:{number} {match.group()}"
        for path, text in text_files(root)
        if path.name != Path(__file__).name
        for number, line in enumerate(text.splitlines(), 1)
        if (match := _MACHINE.search(line))
    ]


def unused(root: Path) -> list[str]:
    """Functions, methods, classes and constants that no code of ours names: only tests could.

    A name counts as used if the packages or bench read it, name it in a string (entry points,
    ``getattr``) or if pyproject.toml does. What a framework calls by its name (a method of a class
    with a foreign base, or ``_CALLED_BY_OTHERS``) is let through; so are fields, which documents
    carry.
    """
    trees = [tree for path, _, tree in modules(root) if not _is_for_others(path)]
    used = set(_WORD.findall(_text(root / "pyproject.toml"))) | _CALLED_BY_OTHERS
    bench = [ast.parse(_text(path)) for path in sorted((root / "bench").glob("*.py"))]
    for node in (node for tree in (*trees, *bench) for node in ast.walk(tree)):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Store):
            used.add(node.id)
        elif isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Store):
            used.add(node.attr)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            used.update(_WORD.findall(node.value) if len(node.value) < _SHORT_TEXT else ())
    ours = {node.name for tree in trees for node in _classes(tree)}
    return [
        f"{path}:{line} {name} is used by no code of ours"
        for path, _, tree in modules(root)
        if not _is_for_others(path)
        for name, line in _defined(tree, ours)
        if name not in used and not name.startswith("__")
    ]


def _defined(tree: ast.Module, ours: set[str]) -> Iterator[tuple[str, int]]:
    for node in tree.body:
        targets = [node.target] if isinstance(node, ast.AnnAssign) else getattr(node, "targets", ())
        yield from ((one.id, node.lineno) for one in targets if isinstance(one, ast.Name))
        if isinstance(node, Function | ast.ClassDef) and not _is_registered(node):
            yield node.name, node.lineno
    for kind in _classes(tree):
        bases = {base.id if isinstance(base, ast.Name) else "" for base in kind.bases}
        if bases <= ours | {"Protocol", "NamedTuple", "Exception"}:
            yield from (
                (item.name, item.lineno)
                for item in kind.body
                if isinstance(item, Function) and not _is_registered(item)
            )


def _is_registered(node: Function | ast.ClassDef) -> bool:
    """Whether a decorator hands it to a framework: a route, a command, a validator."""
    validators = {"model_validator", "field_validator"}
    marks = [mark.func if isinstance(mark, ast.Call) else mark for mark in node.decorator_list]
    return any(
        isinstance(mark, ast.Attribute) or (isinstance(mark, ast.Name) and mark.id in validators)
        for mark in marks
    )


def _is_for_others(path: Path) -> bool:
    """What we offer to tests of plugins, and what Alembic alone runs."""
    return path.parts[:2] == ("selflow", "testing") or "migrations" in path.parts


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""
