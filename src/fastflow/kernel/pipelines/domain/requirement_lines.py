"""Checking requirements.txt line by line, in the form pip and uv read."""

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass

from packaging.requirements import InvalidRequirement, Requirement

from fastflow.kernel.pipelines.domain.faults import FaultList
from fastflow.kit.words import did_you_mean

_OPTIONS = (
    "-r", "--requirement", "-c", "--constraint", "-e", "--editable", "-i", "--index-url", "--extra-index-url", "-f",
    "--find-links", "--no-index", "--no-binary", "--only-binary", "--pre", "--prefer-binary", "--require-hashes",
    "--trusted-host", "--use-feature",
)  # fmt: skip
_URL = re.compile(r"(?:[a-z]+\+)?(?:https?|ssh|git|file|s3)://|(?:git|hg|svn|bzr)\+|file:")
_ARCHIVE = re.compile(r"\.(?:whl|zip|tar\.gz|tgz|tar\.bz2|tar\.xz)(?:\[.*\])?(?:\s*;.*)?$")
_HINT = "Write one requirement per line, such as `pandas>=2.2`, an option such as `-r other.txt`, a URL or a path."


@dataclass(frozen=True)
class RequirementFile:
    """What a requirements file holds.

    Attributes:
        is_empty: neither a requirement nor an option is in it.
        includes: `(path, line)` of the files it names with -r and -c, relative to the pipeline's folder.
        has_local_paths: a requirement or a place to find packages is a path in the pipeline's folder.
    """

    is_empty: bool
    includes: tuple[tuple[str, int], ...]
    has_local_paths: bool


def read_requirements(text: str, file: str, faults: FaultList) -> RequirementFile:
    """Check every line; what is wrong is noted with its line."""
    includes: list[tuple[str, int]] = []
    has_local_paths = False
    is_empty = True
    for number, line in _logical_lines(text):
        is_empty = False
        if line.startswith("-"):
            option, value = _option(line)
            if option not in _OPTIONS:
                near = did_you_mean(option, _OPTIONS)
                faults.error(file, f"{option!r} is no option of a requirements file.{near}", _HINT, line=number)
            elif option in ("-r", "--requirement", "-c", "--constraint"):
                includes.append((posixpath.normpath(posixpath.join(posixpath.dirname(file), value)), number))
            elif option in ("-e", "--editable", "-f", "--find-links"):
                has_local_paths = has_local_paths or not _URL.match(value)
        elif _is_local(line):
            has_local_paths = True
        elif not _URL.match(line):
            _check(line, file, number, faults)
            has_local_paths = has_local_paths or is_local_requirement(line)
    return RequirementFile(is_empty=is_empty, includes=tuple(includes), has_local_paths=has_local_paths)


def requirement_problem(text: str) -> str | None:
    """What is wrong with a requirement as `[project] dependencies` and PEP 723 take it; None when nothing is."""
    try:
        Requirement(text)
    except InvalidRequirement as error:
        return str(error).splitlines()[0]
    return None


def is_local_requirement(text: str) -> bool:
    """Whether it is `name @ PATH` or `name @ file:...`.

    >>> is_local_requirement("lib @ file:./lib"), is_local_requirement("lib @ https://example.org/lib.whl")
    (True, False)
    """
    _, at, target = text.partition("@")
    target = target.strip()
    return bool(at) and (target.startswith(("file:", ".", "/")) or not _URL.match(target)) and "==" not in text


def _check(line: str, file: str, number: int, faults: FaultList) -> None:
    requirement = re.split(r"\s--(?:hash|config-settings|global-option)\b", line)[0].strip()
    problem = requirement_problem(requirement)
    if problem is not None and not (" @ " in requirement and is_local_requirement(requirement)):
        faults.error(file, f"{requirement[:80]!r} is no requirement: {problem}.", _HINT, line=number)


def _is_local(line: str) -> bool:
    return line.startswith((".", "/", "file:")) or (
        "://" not in line and " @ " not in line and bool(_ARCHIVE.search(line))
    )


def _option(line: str) -> tuple[str, str]:
    if re.match(r"-[a-zA-Z](?=[^-\s=])", line):  # -rother.txt
        return line[:2], line[2:].strip()
    option, _, value = (
        line.replace("=", " ", 1).partition(" ") if "=" in line.split(" ", maxsplit=1)[0] else line.partition(" ")
    )
    return option, value.strip().strip("\"'")


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines without comments, with continuations joined; each with the number of its first line."""
    joined, first = "", 0
    for number, raw in enumerate(text.splitlines(), start=1):
        first = first or number
        if raw.rstrip().endswith("\\") and not raw.lstrip().startswith("#"):
            joined += raw.rstrip()[:-1] + " "
            continue
        line = re.sub(r"(?:^|\s)#.*$", "", joined + raw).strip()
        if line:
            yield first, line
        joined, first = "", 0
    if joined.strip():
        yield first, joined.strip()
