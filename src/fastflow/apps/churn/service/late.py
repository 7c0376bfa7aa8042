"""What arrived after an experiment's data: rows that its numbers do not know, though they are about its months."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fastflow.apps.churn.domain.files import (
    DictionariesDiffer,
    IngestedFile,
    common_dictionary,
    read_file_record,
)
from fastflow.apps.churn.domain.tables import FILES
from fastflow.apps.churn.errors import DictionariesConflict
from fastflow.apps.churn.ports import ChurnStore
from fastflow.apps.churn.ports_late import LateCount, LateEngine, LateRow
from fastflow.apps.churn.service.database import GUARDED_BY
from fastflow.apps.churn.service.experiments import found_experiment
from fastflow.apps.churn.service.files import panel_of
from fastflow.kit.identity import Actor


@dataclass(frozen=True, kw_only=True)
class Late:
    """What arrived late.

    Attributes:
        as_of: instant after which files are late, ISO 8601 UTC; '' for an experiment without files.
        files: those taken in since, oldest first.
        counts: by file and month.
        rows: the first of them.
    """

    as_of: str
    files: Sequence[IngestedFile]
    counts: Sequence[LateCount]
    rows: Sequence[LateRow]


class LateRows:
    """The use case.

    Args:
        store: the churn database.
        engine: compares panels.
    """

    def __init__(self, store: ChurnStore, engine: LateEngine) -> None:
        self._store = store
        self._engine = engine

    def find(self, experiment_id: int, *, limit: int, actor: Actor) -> Late:
        """What files taken in after the experiment's `as_of`, else after its newest file, say otherwise than its own.

        Raises:
            Forbidden, ExperimentNotFound, DatabaseDamaged, EngineFailed.
            DictionariesConflict: a later file means something else by a name.
        """
        actor.require_pipeline(GUARDED_BY)
        document = self._store.read()
        experiment = found_experiment(document, experiment_id)
        every = [read_file_record(record) for record in document.records(FILES)]
        known = [file for file in every if file.file_id in experiment.id_files]
        as_of = experiment.as_of or max((file.ingested_at for file in known), default="")
        later = [file for file in every if known and file.file_id not in experiment.id_files and file.was_later(as_of)]
        if not later:
            return Late(as_of=as_of, files=(), counts=(), rows=())
        try:
            columns = common_dictionary([*known, *later])["columns"]
        except DictionariesDiffer as error:
            raise DictionariesConflict(f"The files cannot be one panel: {error}.") from error
        features = [name for name, said in columns.items() if said["role"].endswith("FEATURE")]
        counts, rows = self._engine.find_late(self._panels(known), self._panels(later), features, limit)
        return Late(as_of=as_of, files=later, counts=counts, rows=rows)

    def _panels(self, files: Sequence[IngestedFile]) -> Mapping[int, Path]:
        return {file.file_id: panel_of(self._store, file.file_id) for file in files}
