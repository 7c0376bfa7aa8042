"""What services say has a translation: every code of an error, every setting, and the sentences of the rooms that pages show.

The sentences are read out of the source: what an error is raised with, with a value in each place where one would be.
"""

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

import fastflow
from fastflow.apps.churn.domain.document import Document, Segment
from fastflow.apps.churn.domain.fusion import materialized
from fastflow.apps.churn.domain.tables import declared_tables
from fastflow.settings import Settings
from fastflow.ui.sentences import CODES, END, ENGLISH, SAID, Sentences, sentences_in
from fastflow.ui.texts import LANGUAGES

SOURCE = Path(fastflow.__file__).parent
ROOMS = (
    "audit",
    "daemons",
    "failures",
    "flows",
    "notifications",
    "webhooks",
    "pipelines",
    "runs",
    "schedules",
    "secrets",
    "sync",
    "users",
    "http/access",
)
"""Of the kernel: what pages ask. What is said elsewhere is told by its code."""
SERVERS_OWN = ("kit/identity.py", "kit/durations.py", "kit/ids.py", "kit/pages.py", "kit/errors.py")
VALUE = "xx"
CODE = re.compile(r"[a-z]\w*")


@cache
def trees() -> dict[str, ast.Module]:
    apps = (path for path in (SOURCE / "apps").rglob("*.py") if not {"method", "pipelines"} & set(path.parts))
    found = [*SOURCE.glob("*.py"), *(SOURCE / "kit").rglob("*.py"), *(SOURCE / "kernel").rglob("*.py"), *apps]
    return {str(path.relative_to(SOURCE)): ast.parse(path.read_text()) for path in found}


def name_of(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


@cache
def families() -> frozenset[str]:
    """Names of all classes of errors."""
    bases = {
        node.name: {name_of(base) for base in node.bases}
        for tree in trees().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }
    known = {"FastFlowError"}
    while more := {name for name, of in bases.items() if of & known} - known:
        known |= more
    return frozenset(known)


def codes() -> Iterator[tuple[str, str]]:
    for place, tree in trees().items():
        for node in ast.walk(tree):
            found: ast.expr | None = None
            if isinstance(node, ast.keyword) and node.arg == "code":
                found = node.value
            elif isinstance(node, ast.AnnAssign | ast.Assign):
                target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
                found = node.value if name_of(target) == "default_code" else None
            if isinstance(found, ast.Constant) and isinstance(found.value, str) and CODE.fullmatch(found.value):
                yield place, found.value


def said_by(node: ast.expr | None) -> Iterator[str]:
    """What a literal says, with a value in each place of one; nothing but places says nothing."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        parts = [part.value if isinstance(part, ast.Constant) else VALUE for part in node.values]
        text = "".join(map(str, parts))
        if re.search(r"[a-z]{3,}", "".join(str(part) for part in parts if part != VALUE)):
            # a suggestion may stand behind the sentence
            yield re.sub(rf"(?<=[.?]){VALUE}$", "", text)
    elif isinstance(node, ast.IfExp):
        yield from said_by(node.body)
        yield from said_by(node.orelse)


def sentences() -> Iterator[tuple[str, str]]:
    for place, tree in trees().items():
        if not place.startswith((*(f"kernel/{room}" for room in ROOMS), "apps/", *SERVERS_OWN)):
            continue
        for node in ast.walk(tree):
            told: list[ast.expr | None] = []
            if isinstance(node, ast.Call) and name_of(node.func) in families():
                told = [*node.args[:1], *(each.value for each in node.keywords if each.arg in ("hint", "message"))]
                for named in node.keywords:
                    if named.arg == "fields" and isinstance(named.value, ast.Dict):
                        told += named.value.values
            elif isinstance(node, ast.ClassDef) and node.name in families():
                told = [
                    set_.value
                    for set_ in node.body
                    if isinstance(set_, ast.Assign | ast.AnnAssign)
                    and name_of(set_.target if isinstance(set_, ast.AnnAssign) else set_.targets[0]) == "default_hint"
                ]
            for part in told:
                yield from ((place, text) for text in said_by(part))


def stays_english(known: Sentences, text: str) -> bool:
    """Whether more than a value does."""
    return ENGLISH in re.sub(f"{ENGLISH}(?:{VALUE})+{END}", "", known.translate(text))


@pytest.fixture(params=[language for language in LANGUAGES if (SAID / language).is_dir()])
def known(request: pytest.FixtureRequest) -> Sentences:
    found = sentences_in(request.param)
    assert found is not None
    return found


def test_languages_when_counted_then_each_but_english_has_sentences() -> None:
    assert [language for language in LANGUAGES if sentences_in(language) is None] == ["en"]


def test_codes_when_searched_then_each_has_words(known: Sentences) -> None:
    missing = sorted({f"{code} ({place})" for place, code in codes() if not known.codes.get(code)})
    assert not missing, f"without a line in {CODES}:\n" + "\n".join(missing)


def test_sentences_of_rooms_when_searched_then_none_stays_english(known: Sentences) -> None:
    missing = sorted({f"{place}: {text}" for place, text in sentences() if stays_english(known, text)})
    assert not missing, "\n".join(missing)


def test_settings_when_described_then_none_stays_english(known: Sentences) -> None:
    told = [field.description or "" for field in Settings.model_fields.values()]
    assert not [each for each in told if ENGLISH in known.translate(each)]


def test_tables_of_the_churn_workbench_when_described_then_none_stays_english(known: Sentences) -> None:
    with (SOURCE / "apps/churn/domain/result_tables.toml").open("rb") as file:
        told = {text.format(VALUE) for table in tomllib.load(file).values() for text in table.values()}
    empty = Document(revision=0, last_updated="", counters={}, tables=declared_tables())
    some = [Segment(sha256="0" * 64, rows=1, size=1, belongs={})]
    for table in materialized(empty, 1, some, some).tables.values():
        told |= {table.description, *(column.description for column in table.columns.values())}
    assert not [each for each in sorted(told) if stays_english(known, each)]


def test_catalogues_when_read_then_a_sentence_is_found_by_itself_and_its_places_are_the_same() -> None:
    place = re.compile(r"\{([a-z]\w*)(?::\w+)?\}")
    for folder in SAID.iterdir():
        keys: list[str] = []
        for path in folder.glob("*.toml"):
            if path.name == CODES:
                continue
            for line in path.read_text().splitlines():
                if '" = "' in line:
                    english, german = line.split('" = "', 1)
                    extra = set(place.findall(german)) - set(place.findall(english))
                    assert not extra, f"{path.name}: {line}"
                    keys.append(english)
        assert not [one for one, other in pairwise(sorted(keys)) if one == other]
