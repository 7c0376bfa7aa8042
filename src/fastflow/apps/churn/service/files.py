"""Files that are taken in: panels and lists of transactions, known by their content, kept as segments of `rawdata`.

Viewers look, operators take in and delete. Nothing of a file is kept before all of it was judged; then one change of the
database adds its row of `files` and its segment.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fastflow.apps.churn.domain.dictionary import (
    IGNORED,
    MOST_WORDS,
    Dictionary,
    DictionaryError,
    SeenColumn,
    guess_dictionary,
    guess_roles,
    read_dictionary,
)
from fastflow.apps.churn.domain.document import Document, Segment
from fastflow.apps.churn.domain.files import (
    PANEL,
    TRANSACTIONS,
    ChurnRule,
    DictionariesDiffer,
    IngestedFile,
    common_dictionary,
    read_file_record,
)
from fastflow.apps.churn.domain.summary import PanelSummary
from fastflow.apps.churn.domain.tables import EXPERIMENTS, FILES, RAWDATA, declared_tables
from fastflow.apps.churn.errors import DictionariesConflict, FileInUse, FileNotIngested
from fastflow.apps.churn.ports import ChurnStore, MadePanel, Note, PanelEngine, Rows
from fastflow.apps.churn.service.database import GUARDED_BY
from fastflow.kit.clock import Clock
from fastflow.kit.errors import InvalidInput
from fastflow.kit.identity import Actor, Role
from fastflow.kit.words import counted

_NAMED_EXPERIMENTS = 5


@dataclass(frozen=True, kw_only=True)
class Ingested:
    """What taking in a file came to.

    Attributes:
        file: as it is kept.
        is_new: False: the same content was there already; nothing was done.
        notes: what is worth telling, in sentences.
    """

    file: IngestedFile
    is_new: bool
    notes: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class WrittenPanel:
    """Files as the inputs of a run.

    Attributes:
        files: they.
        rows_replaced: of a customer and month that a newer file tells, too.
    """

    files: Sequence[IngestedFile]
    rows_replaced: int


class _Known(Exception):
    """The content is there already."""

    def __init__(self, file: IngestedFile) -> None:
        super().__init__()
        self.file = file


class Files:
    """The use cases.

    Args:
        store: the database.
        engine: reads files.
        uploads: a folder for bodies being received.
        clock: tells the time.
    """

    def __init__(self, store: ChurnStore, engine: PanelEngine, uploads: Path, clock: Clock) -> None:
        self._store = store
        self._engine = engine
        self._clock = clock
        self.uploads = uploads

    def list(self, *, actor: Actor) -> Sequence[IngestedFile]:
        """All files, oldest first."""
        actor.require_pipeline(GUARDED_BY)
        return self._all()

    def find(self, file_id: int, *, actor: Actor) -> IngestedFile:
        """The file.

        Raises:
            FileNotIngested: there is none of that number.
        """
        actor.require_pipeline(GUARDED_BY)
        return _found(self._all(), file_id)

    def _all(self) -> Sequence[IngestedFile]:
        return [read_file_record(record) for record in self._store.read().records(FILES)]

    def preview(self, file_id: int, *, limit: int, offset: int, actor: Actor) -> Rows:
        """Rows of the file's panel, in its order."""
        file = self.find(file_id, actor=actor)
        return self._engine.read_rows(panel_of(self._store, file.file_id), limit=limit, offset=offset)

    def summarise(self, file_id: int, *, actor: Actor) -> PanelSummary:
        """What the columns and months of the file's panel hold."""
        file = self.find(file_id, actor=actor)
        return self._engine.summarise(panel_of(self._store, file.file_id))

    def users(self, *, actor: Actor) -> Mapping[int, Sequence[tuple[int, str]]]:
        """File -> number and name of the experiments that are computed on it."""
        actor.require_pipeline(GUARDED_BY)
        found: dict[int, list[tuple[int, str]]] = {}
        for one in self._store.read().records(EXPERIMENTS):
            for number in one.get("id_files") or ():
                found.setdefault(number, []).append((one["experiment_id"], one["experiment_name"]))
        return found

    # -- taking in --------------------------------------------------------------------------------------------------------

    def require_ingest(self, *, actor: Actor) -> None:
        """Raises:
        Forbidden: the actor may not take files in.
        """
        actor.require_pipeline(GUARDED_BY, Role.OPERATOR)

    def propose_dictionary(self, source: Path, *, actor: Actor) -> Dictionary:
        """What a file's columns probably mean; nothing is kept.

        Raises:
            IngestRefused, InvalidInput: it cannot be read, or no column looks like a key.
        """
        self.require_ingest(actor=actor)
        with self._store.staging() as folder:
            return self._guess(source, folder)

    def look(self, source: Path, *, actor: Actor) -> Sequence[tuple[SeenColumn, str]]:
        """A file's columns, each with its probable role; nothing is kept.

        Raises:
            IngestRefused: it cannot be read.
        """
        self.require_ingest(actor=actor)
        with self._store.staging() as folder:
            seen = self._engine.look(source, folder)
        roles = guess_roles(seen)
        return [(column, roles[column.name]) for column in seen]

    def _guess(self, source: Path, folder: Path) -> Dictionary:
        try:
            return guess_dictionary(self._engine.look(source, folder))
        except DictionaryError as error:
            raise InvalidInput(
                f"What the columns mean cannot be guessed. {error}.",
                code="churn_dictionary_unknown",
                hint="Hand in a dictionary that names the columns with the roles PRIMARY_KEY, TIMEBASE and TARGET.",
                fields={"dictionary": str(error)},
            ) from error

    def ingest(
        self, source: Path, *, name: str, dictionary: Any = None, rule: ChurnRule | None = None, actor: Actor
    ) -> Ingested:
        """Take a file in; the same content, dictionary and rule give the same file again.

        Args:
            source: the bytes.
            name: what people call it.
            dictionary: of a panel, as JSON; None: it is guessed.
            rule: it is a list of transactions, which becomes a panel by this rule.

        Raises:
            IngestRefused, InvalidInput: it has faults, or the dictionary has; nothing was kept.
            EngineFailed, DatabaseBusy, DatabaseUnwritable: nothing was kept.
        """
        self.require_ingest(actor=actor)
        meant = rule if rule is not None else None if dictionary is None else checked_dictionary(dictionary)
        with self._store.staging() as folder:
            known = meant or self._guess(source, folder)
            with self._engine.ready() as make_panel:
                content = _content_sha256(source, known)
                there = next((file for file in self._all() if file.content_sha256 == content), None)
                if there is not None:
                    return Ingested(file=there, is_new=False, notes=())
                made = make_panel(source, folder, known)
            file = self._described(made, name=name, meant=known, content=content, actor=actor)
            done = self._keep(file, made, folder, actor)
            return done if meant is not None else replace(done, notes=[*done.notes, *_guess_told(known)])

    def _described(
        self, made: MadePanel, *, name: str, meant: Dictionary | ChurnRule, content: str, actor: Actor
    ) -> IngestedFile:
        is_rule = isinstance(meant, ChurnRule)
        dictionary = meant.dictionary() if isinstance(meant, ChurnRule) else meant
        return IngestedFile(
            file_id=0,
            name=name,
            kind=TRANSACTIONS if is_rule else PANEL,
            content_sha256=content,
            rows=made.rows,
            customers=made.customers,
            first_month=made.first_month,
            last_month=made.last_month,
            dictionary=dictionary.record(),
            churn_rule=meant.record() if isinstance(meant, ChurnRule) else None,
            ingested_at=self._clock.now().isoformat(timespec="microseconds"),
            ingested_by=actor.name,
        )

    def _keep(self, file: IngestedFile, made: MadePanel, folder: Path, actor: Actor) -> Ingested:
        """One change: the row of `files` and the segment."""
        sha256 = _sha256(made.path)
        staged = made.path.rename(folder / f"{sha256}.parquet")
        size, kept = staged.stat().st_size, file

        def edit(document: Document) -> tuple[Document, Note]:
            nonlocal kept
            present = [read_file_record(record) for record in document.records(FILES)]
            for other in present:
                if other.content_sha256 == file.content_sha256:
                    raise _Known(other)
            number, document = _with_tables(document).numbered("files")
            kept = replace(file, file_id=number)
            segment = Segment(sha256=sha256, rows=file.rows, size=size, belongs={"file_id": number})
            document = document.with_records(FILES, [*document.records(FILES), kept.record()])
            document = document.with_segments(RAWDATA, [*document.segments(RAWDATA), segment])
            detail = {"name": file.name, "rows": file.rows, "content_sha256": file.content_sha256}
            return document, Note(
                actor=actor, action="churn_file.ingest", subject=f"churn_file:{number}", detail=detail
            )

        try:
            self._store.change(edit, [staged])
        except _Known as known:
            return Ingested(file=known.file, is_new=False, notes=())
        return Ingested(file=kept, is_new=True, notes=made.notes)

    # -- leaving ----------------------------------------------------------------------------------------------------------

    def delete(self, file_id: int, *, actor: Actor) -> None:
        """Remove a file and its rows; the state before stays a snapshot for a while.

        Raises:
            FileInUse: experiments stand on it; names them.
            FileNotIngested: there is none of that number.
        """
        self.require_ingest(actor=actor)

        def edit(document: Document) -> tuple[Document, Note]:
            file = _found([read_file_record(record) for record in document.records(FILES)], file_id)
            users = [one for one in document.records(EXPERIMENTS) if file_id in (one.get("id_files") or ())]
            if users:
                raise FileInUse(
                    f"The file {file_id} is used by {_told_experiments(users)}.",
                    extra={"experiment_ids": [one.get("experiment_id") for one in users]},
                )
            left = [record for record in document.records(FILES) if record["file_id"] != file_id]
            segments = [one for one in document.segments(RAWDATA) if one.belongs.get("file_id") != file_id]
            document = document.with_records(FILES, left).with_segments(RAWDATA, segments)
            detail = {"name": file.name, "content_sha256": file.content_sha256}
            return document, Note(
                actor=actor, action="churn_file.delete", subject=f"churn_file:{file_id}", detail=detail
            )

        self._store.change(edit)

    # -- for runs ---------------------------------------------------------------------------------------------------------

    def write_inputs(self, file_ids: Sequence[int], folder: Path) -> WrittenPanel:
        """Write `panel.parquet` and `dictionary.json` of these files together into a folder, as the pipelines read them.

        Of rows for one customer and month the newest file's counts. Asks for no right: whoever may run may read.

        Raises:
            FileNotIngested, DictionariesConflict, EngineFailed: nothing usable was written.
            InvalidInput: no file is named.
        """
        if not file_ids:
            raise InvalidInput(
                "The experiment names no file.",
                code="churn_no_files",
                hint="Take a file in with `fastflow churn ingest` and name it in id_files.",
                fields={"id_files": "is empty"},
            )
        present = self._all()
        files = [_found(present, number) for number in sorted(set(file_ids))]
        try:
            dictionary = common_dictionary(files)
        except DictionariesDiffer as error:
            raise DictionariesConflict(f"The files cannot be one panel: {error}.") from error
        features = [name for name, said in dictionary["columns"].items() if said["role"].endswith("FEATURE")]
        panels = {file.file_id: panel_of(self._store, file.file_id) for file in files}
        replaced = self._engine.join_panels(panels, features, folder / "panel.parquet")
        text = json.dumps(dictionary, ensure_ascii=False, indent=1)
        (folder / "dictionary.json").write_text(text + "\n", encoding="utf-8")
        return WrittenPanel(files=files, rows_replaced=replaced)


def panel_of(store: ChurnStore, file_id: int) -> Path:
    """The Parquet file of a file's panel; how rows of it are read, the engine knows.

    Raises:
        DatabaseDamaged: it is not there.
    """
    segments = store.read().segments(RAWDATA)
    return store.segment(next(one.sha256 for one in segments if one.belongs.get("file_id") == file_id))


def _guess_told(guessed: Dictionary | ChurnRule) -> Iterator[str]:
    """What a guess left out, or read in its own way, in sentences."""
    if isinstance(guessed, ChurnRule):
        return
    left = [column.source for column in guessed.columns if column.role == IGNORED]
    if left:
        yield (
            f"Left out, as they hold more than {MOST_WORDS} different words: {', '.join(left)}. A dictionary can say otherwise."
        )
    if guessed.decimal == ",":
        yield "Numbers are read with a decimal comma, as the file has it."


def checked_dictionary(data: Any) -> Dictionary:
    """The dictionary that somebody handed in.

    Raises:
        InvalidInput: it is none.
    """
    try:
        return read_dictionary(data)
    except DictionaryError as error:
        raise InvalidInput(
            f"The data dictionary cannot be meant so. {error}.",
            code="churn_dictionary_refused",
            hint="`fastflow churn dictionary FILE` proposes one to begin with.",
            fields={"dictionary": str(error)},
        ) from error


def _found(files: Sequence[IngestedFile], file_id: int) -> IngestedFile:
    found = next((file for file in files if file.file_id == file_id), None)
    if found is None:
        raise FileNotIngested(f"There is no file {file_id}.", fields={"file_id": f"there is no file {file_id}"})
    return found


def _told_experiments(users: Sequence[Mapping[str, Any]]) -> str:
    named = [f"{one.get('experiment_id')} ({one.get('experiment_name')})" for one in users[:_NAMED_EXPERIMENTS]]
    more = f" and {len(users) - len(named)} more" if len(users) > len(named) else ""
    return f"{counted(len(users), 'experiment')}: {', '.join(named)}{more}"


def _with_tables(document: Document) -> Document:
    """The document with the tables of files, where one without them was imported."""
    for name in (FILES, RAWDATA):
        if name not in document.tables:
            document = document.with_table(name, declared_tables()[name])
    return document


def _content_sha256(source: Path, meant: Dictionary | ChurnRule) -> str:
    """Of the bytes and of what they are taken to mean."""
    told = json.dumps(meant.record(), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(f"{type(meant).__name__}\n{_sha256(source)}\n{told}".encode()).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
