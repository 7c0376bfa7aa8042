"""Reading Python source without running it: does it parse, and what does it import."""

import ast
import io
import posixpath
import threading
import tokenize
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator

from fastflow.kernel.pipelines.domain.faults import FaultList

MAX_SOURCE_BYTES = 5_000_000
"""Parsing takes about 100 times the size in memory; no source written by people is larger."""

_parsing = threading.Lock()  # `warnings.catch_warnings` is not safe in threads; and parsing holds the GIL anyway


def decode_source(data: bytes, file: str, faults: FaultList) -> str | None:
    """The text of a source file, by its own coding line or as UTF-8; None when it is no text, which is noted."""
    try:
        text = data.decode(_encoding(data))
    except UnicodeDecodeError as error:
        start = data.rfind(b"\n", 0, error.start) + 1
        faults.error(
            file,
            f"This is not valid {error.encoding.upper()}: byte 0x{data[error.start]:02x}.",
            "Save the file as UTF-8.",
            line=data.count(b"\n", 0, error.start) + 1,
            column=error.start - start + 1,
        )
        return None
    except (
        SyntaxError,
        LookupError,
    ) as error:  # an unknown coding line, or bytes that are not UTF-8 in the first lines
        faults.error(file, f"The file's encoding cannot be read: {error}.", "Save the file as UTF-8.", line=1)
        return None
    return text


def _encoding(data: bytes) -> str:
    try:
        return tokenize.detect_encoding(io.BytesIO(data).readline)[0]
    except SyntaxError:
        data.decode()  # raises with the place when the first lines are not the UTF-8 they should be
        raise


def parse_source(text: str, file: str, report: Callable[..., None]) -> ast.Module | None:
    """The syntax tree; None when it cannot be parsed, which goes to `report` (a method of FaultList)."""
    try:
        with _parsing, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text, filename=file)
    except SyntaxError as error:
        line = min(error.lineno or 1, text.count("\n") + 1)
        hint = "Correct the line that is named, or the one before it."
        report(file, f"Python cannot read this: {error.msg}.", hint, line=line, column=error.offset or None)
    except (ValueError, RecursionError, MemoryError) as error:
        report(
            file, f"Python cannot read this: {str(error) or 'it is nested too deeply'}.", "Correct the file.", line=1
        )
    return None


def find_imports(script: str, paths: Collection[str], tree_of: Callable[[str], ast.Module | None]) -> tuple[str, ...]:
    """What the script and the modules beside it import at the top, dotted and sorted, without the modules beside it.

    Follows imports from file to file, so that files nobody imports add nothing. `from a import b` gives `a` and `a.b`,
    because `b` may be a module; whoever loads ahead must expect that it is not.

    Args:
        script: the file that is run.
        paths: all files of the pipeline, with forward slashes.
        tree_of: the syntax tree of one of them; None when it has none.
    """
    local = local_modules(paths, posixpath.dirname(script))
    found: set[str] = set()
    pending, seen = [script], {script}
    while pending:
        tree = tree_of(pending.pop())
        for name in _imported(tree.body) if tree is not None else ():
            top = name.split(".")[0]
            if top not in local:
                found.add(name)
            for path in local.get(top, ()):
                if path not in seen:
                    seen.add(path)
                    pending.append(path)
    return tuple(sorted(found - {"__future__"} - {name for name in found if name.startswith("__future__.")}))


def local_modules(paths: Iterable[str], folder: str = "") -> dict[str, list[str]]:
    """Top-level module name -> the .py files it consists of, for what lies in the script's folder."""
    modules: dict[str, list[str]] = {}
    prefix = f"{folder}/" if folder else ""
    for path in paths:
        if path.endswith(".py") and path.startswith(prefix):
            top = path[len(prefix) :].split("/")[0].removesuffix(".py")
            modules.setdefault(top, []).append(path)
    return modules


def _imported(body: Iterable[ast.stmt]) -> Iterator[str]:
    """Modules imported when the body runs: also inside if, try and with, but not inside functions and classes."""
    for statement in body:
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                yield alias.name
        elif isinstance(statement, ast.ImportFrom):
            if statement.level == 0 and statement.module:
                yield statement.module
                yield from (f"{statement.module}.{alias.name}" for alias in statement.names if alias.name != "*")
        elif isinstance(statement, ast.If):
            if not _is_type_checking(statement.test):
                yield from _imported(statement.body)
            yield from _imported(statement.orelse)
        elif isinstance(statement, ast.Try):
            handlers = (inner for handler in statement.handlers for inner in handler.body)
            yield from _imported([*statement.body, *handlers, *statement.orelse, *statement.finalbody])
        elif isinstance(statement, ast.With):
            yield from _imported(statement.body)


def _is_type_checking(test: ast.expr) -> bool:
    name = test.attr if isinstance(test, ast.Attribute) else test.id if isinstance(test, ast.Name) else ""
    return name == "TYPE_CHECKING"
