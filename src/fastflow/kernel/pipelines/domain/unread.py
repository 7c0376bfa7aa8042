"""What broken settings may have said about the pipelines theirs runs after: settings that cannot be read, or whose key is
misspelt, must not let it drop out of a flow unnoticed. Works on text, because there may be no more than that."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import takewhile

from fastflow.kernel.pipelines.domain.source import Source, UnreadableFile
from fastflow.kit.words import did_you_mean

_AFTER = "after"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_KEY = re.compile(r"""\s*["']?([A-Za-z0-9_.-]+)["']?\s*=""")
_COMMENT = re.compile(r"(?m)^# ?")


@dataclass
class _Section:
    """The lines of a key or a table called `after`, or nearly so."""

    lines: set[int] = field(default_factory=set)
    words: list[str] = field(default_factory=list)


def find_unread_after(source: Source, settings_file: str) -> Sequence[str] | None:
    """The words that stand where `after` may have stood; None: nowhere.

    Args:
        source: a pipeline with faults whose settings have no `after`.
        settings_file: the file of its own for settings.
    """
    words: list[str] = []
    is_found = False
    for path in (settings_file, "pyproject.toml") if source.kind == "folder" else ():
        if not source.has(path):
            continue
        text = _text(source, path)
        if text is None:
            is_found = is_found or path == settings_file
        elif path == settings_file or "fastflow" in text:
            wrong = {fault.line for fault in source.faults.found if fault.file.endswith(path)}
            for section in _sections(text):
                if source.toml(path) is None or section.lines & wrong:
                    is_found = True
                    words += section.words
    header = _header(_text(source, source.script) or "")
    for section in _sections(header):
        is_found = True
        words += section.words
    return list(dict.fromkeys(words)) if is_found else None


def _text(source: Source, path: str) -> str | None:
    try:
        return source.files.read(path).decode(errors="replace") if source.has(path) else None
    except UnreadableFile:
        return None


def _header(script: str) -> str:
    """The lines of the PEP 723 block, closed or not; nothing when it has no settings."""
    _, opening, rest = script.partition("# /// script")
    block = "\n".join(takewhile(lambda line: line.startswith("#") and line.rstrip() != "# ///", rest.splitlines()[1:]))
    return _COMMENT.sub("", block) if opening and "fastflow" in block else ""


def _sections(text: str) -> Iterator[_Section]:
    section: _Section | None = None
    in_table = False
    for number, line in enumerate(text.splitlines(), start=1):
        name = None
        if line.lstrip().startswith("["):
            heading = _NAME.search(line)
            name, in_table = (heading[0] if heading else ""), False
        elif not in_table and (key := _KEY.match(line)):
            name = key[1]
        if name is not None:
            is_table = line.lstrip().startswith("[")
            if section is not None and not (is_table and name.startswith(f"{_AFTER}.")):
                yield section
                section = None
            if section is None and _means_after(name):
                section = _Section()
            in_table = is_table and section is not None
        if section is not None:
            section.lines.add(number)
            section.words += [each[0] for each in _NAME.finditer(line)]
    if section is not None:
        yield section


def _means_after(key: str) -> bool:
    return any(did_you_mean(part.lower(), [_AFTER]) for part in key.split("."))
