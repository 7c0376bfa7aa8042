"""Experiments: made, changed, reset and deleted, each with what hangs on it.

What may happen to one, its status decides: while a run computes it nothing may, and what its results were computed from
changes only after a reset, which removes them. Viewers look, operators do everything else.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fastflow.apps.churn.domain.document import Document
from fastflow.apps.churn.domain.experiment import (
    CREATED,
    PROCESSING,
    Definition,
    Experiment,
    StatusRefused,
    define,
)
from fastflow.apps.churn.domain.experiment_data import problems_with_files
from fastflow.apps.churn.domain.experiment_rows import (
    experiments_in,
    figures_in,
    find_experiment,
    find_twin,
    fingerprint,
    intervals_in,
    results_of,
    rows_of,
    with_experiment,
    without_experiment,
    without_results,
)
from fastflow.apps.churn.domain.files import read_file_record
from fastflow.apps.churn.domain.files_together import warnings_about
from fastflow.apps.churn.domain.problem import Problem, Refused
from fastflow.apps.churn.domain.tables import EXPERIMENTS, FILES
from fastflow.apps.churn.errors import (
    DatabaseDamaged,
    ExperimentHasResults,
    ExperimentNotFound,
    ExperimentProcessing,
    ExperimentRefused,
    ExperimentStatusConflict,
    ExperimentTwin,
)
from fastflow.apps.churn.ports import ChurnStore, Defaults, Note
from fastflow.apps.churn.service.database import GUARDED_BY
from fastflow.kit.clock import Clock
from fastflow.kit.errors import InvalidInput
from fastflow.kit.identity import Actor, Role
from fastflow.kit.pages import Page, decode_cursor, encode_cursor
from fastflow.kit.words import counted

MOST_COMPARED = 4


@dataclass(frozen=True, kw_only=True)
class ExperimentFilter:
    """Which experiments are wanted; None: any.

    Attributes:
        status: that they have.
        name: that their name contains, whatever the case.
        file_id: that they are computed on.
    """

    status: str | None = None
    name: str | None = None
    file_id: int | None = None

    def fits(self, experiment: Experiment) -> bool:
        """Whether the experiment is wanted."""
        return (
            self.status in (None, experiment.status)
            and (self.name is None or self.name.casefold() in experiment.experiment_name.casefold())
            and (self.file_id is None or self.file_id in experiment.id_files)
        )


@dataclass(frozen=True, kw_only=True)
class Removal:
    """What a removal takes away, or would.

    Attributes:
        experiment_id: whose rows.
        rows: table -> how many.
        dry_run: True: nothing was removed.
    """

    experiment_id: int
    rows: Mapping[str, int]
    dry_run: bool


class Experiments:
    """The use cases.

    Args:
        store: the churn database.
        defaults: what holds where an experiment says nothing.
        clock: tells the time.
    """

    def __init__(self, store: ChurnStore, defaults: Defaults, clock: Clock) -> None:
        self._store = store
        self._defaults = defaults
        self._clock = clock

    # -- looking ----------------------------------------------------------------------------------------------------------

    def list(
        self, wanted: ExperimentFilter, *, actor: Actor, cursor: str | None = None, limit: int = 50
    ) -> Page[Experiment]:
        """Experiments, newest first.

        Raises:
            Forbidden, DatabaseDamaged, InvalidInput: the cursor is none.
        """
        actor.require_pipeline(GUARDED_BY)
        (before,) = decode_cursor(cursor, (int,)) if cursor else (None,)
        found = [one for one in self._all() if wanted.fits(one) and (before is None or one.experiment_id < int(before))]
        more = len(found) > limit
        return Page(items=found[:limit], next_cursor=encode_cursor(found[limit - 1].experiment_id) if more else None)

    def find(self, experiment_id: int, *, actor: Actor) -> Experiment:
        """One experiment.

        Raises:
            Forbidden, ExperimentNotFound, DatabaseDamaged.
        """
        actor.require_pipeline(GUARDED_BY)
        return found_experiment(self._store.read(), experiment_id)

    def results(self, experiment_id: int, *, actor: Actor) -> Mapping[str, int]:
        """Table -> rows of it that hang on the experiment, itself left aside.

        Raises:
            Forbidden, ExperimentNotFound, DatabaseDamaged.
        """
        actor.require_pipeline(GUARDED_BY)
        document = self._store.read()
        found_experiment(document, experiment_id)
        return results_of(document, experiment_id)

    def warnings(self, definition: Definition, *, actor: Actor) -> Sequence[str]:
        """What is allowed about a definition, but may mislead who does not know it, in sentences.

        Raises:
            Forbidden, DatabaseDamaged.
        """
        actor.require_pipeline(GUARDED_BY)
        known = self._store.read().records(FILES)
        chosen = [read_file_record(record) for record in known if record["file_id"] in definition.id_files]
        return warnings_about(definition, chosen)

    def figures(self, *, actor: Actor) -> Mapping[int, Mapping[str, float]]:
        """Number of the experiment -> name of a key figure -> value.

        Raises:
            Forbidden, DatabaseDamaged.
        """
        actor.require_pipeline(GUARDED_BY)
        return figures_in(self._store.read())

    def intervals(self, *, actor: Actor) -> Mapping[int, Mapping[str, tuple[float, float]]]:
        """As `figures`: the 95 % interval of each that has one."""
        actor.require_pipeline(GUARDED_BY)
        return intervals_in(self._store.read())

    def files(self, *, actor: Actor) -> Sequence[Mapping[str, Any]]:
        """Rows of the table of files, which experiments can be computed on.

        Raises:
            Forbidden, DatabaseDamaged.
        """
        actor.require_pipeline(GUARDED_BY)
        return self._store.read().records(FILES)

    def compare(self, experiment_ids: Sequence[int], *, actor: Actor) -> Sequence[Experiment]:
        """Two to four experiments, in this order.

        Raises:
            Forbidden, ExperimentNotFound, DatabaseDamaged.
            InvalidInput: fewer or more, or one twice.
        """
        actor.require_pipeline(GUARDED_BY)
        numbers = list(dict.fromkeys(experiment_ids))
        if not 2 <= len(numbers) <= MOST_COMPARED or len(numbers) < len(experiment_ids):
            raise InvalidInput(
                f"Two to {MOST_COMPARED} different experiments are compared.",
                hint="Choose others.",
                fields={"experiment_ids": f"are not two to {MOST_COMPARED} different ones"},
            )
        document = self._store.read()
        return [found_experiment(document, number) for number in numbers]

    def defaults(self, *, actor: Actor) -> Mapping[str, Any]:
        """What holds where an experiment says nothing, and UI_SETTINGS_PATH says otherwise than the method.

        Raises:
            Forbidden, DefaultsUnreadable.
        """
        actor.require_pipeline(GUARDED_BY)
        return self._defaults()

    def _all(self) -> "Iterator[Experiment]":
        try:
            yield from experiments_in(self._store.read())
        except Refused as error:
            raise _damaged(error) from error

    def judge(self, given: Mapping[str, Any], *, actor: Actor, but: int | None = None) -> Definition:
        """What an experiment would be made of; makes nothing.

        Args:
            given: field -> value, as JSON has it.
            actor: who asks.
            but: number of the experiment that is to be changed.

        Raises:
            Forbidden, ExperimentRefused, ExperimentTwin, DefaultsUnreadable, DatabaseDamaged.
        """
        actor.require_pipeline(GUARDED_BY)
        document = self._store.read()
        definition = self._define(document, given)
        _refuse_twin(document, definition, but)
        return definition

    # -- changing ---------------------------------------------------------------------------------------------------------

    def create(self, given: Mapping[str, Any], *, actor: Actor) -> Experiment:
        """A new experiment.

        Raises:
            Forbidden, ExperimentRefused, ExperimentTwin, DefaultsUnreadable, DatabaseBusy, DatabaseDamaged.
        """
        actor.require_pipeline(GUARDED_BY, Role.OPERATOR)
        made: list[Experiment] = []

        def edit(document: Document) -> tuple[Document, Note]:
            definition = self._define(document, given)
            _refuse_twin(document, definition)
            number, after = document.numbered(EXPERIMENTS)
            now = self._now()
            experiment = Experiment(
                experiment_id=number,
                data_fingerprint=fingerprint(document, definition.id_files),
                created_at=now,
                updated_at=now,
                **vars(definition),
            )
            made.append(experiment)
            return with_experiment(after, experiment), _note(actor, "create", experiment)

        self._store.change(edit)
        return made[-1]

    def change(self, experiment_id: int, given: Mapping[str, Any], *, actor: Actor) -> Experiment:
        """Define an experiment anew; it keeps its number, status and times.

        Raises:
            Forbidden, ExperimentNotFound, ExperimentRefused, ExperimentTwin, DatabaseBusy, DatabaseDamaged.
            ExperimentProcessing: a run computes it.
            ExperimentHasResults: more than its name would change, and it was computed.
        """

        def changed(document: Document, present: Experiment) -> tuple[Document, Experiment]:
            definition = self._define(document, given)
            if present.status != CREATED and definition.content() != present.content():
                _refuse_change(present, definition)
            _refuse_twin(document, definition, experiment_id)
            data = fingerprint(document, definition.id_files)
            return document, replace(present.redefined(definition), data_fingerprint=data, updated_at=self._now())

        return self._changed(experiment_id, "change", changed, actor=actor)

    def reset(self, experiment_id: int, *, actor: Actor, dry_run: bool = False) -> tuple[Experiment, Removal]:
        """Put an experiment that was computed, or failed, back to `created`, without its results.

        Raises:
            Forbidden, ExperimentNotFound, ExperimentProcessing, DatabaseBusy, DatabaseDamaged.
            ExperimentStatusConflict: it is `created` already.
        """
        actor.require_pipeline(GUARDED_BY, Role.OPERATOR)
        lost: list[Mapping[str, int]] = []

        def changed(document: Document, present: Experiment) -> tuple[Document, Experiment]:
            lost.append(results_of(document, experiment_id))
            return without_results(document, experiment_id), _moved(present, CREATED, self._now(), "")

        if dry_run:
            _, experiment = changed(self._store.read(), free_experiment(self._store.read(), experiment_id))
        else:
            experiment = self._changed(experiment_id, "reset", changed, actor=actor)
        return experiment, Removal(experiment_id=experiment_id, rows=lost[-1], dry_run=dry_run)

    def delete(self, experiment_id: int, *, actor: Actor, cascade: bool = False, dry_run: bool = False) -> Removal:
        """Remove an experiment and all rows that hang on it; files stay, and its number is not given again.

        Args:
            experiment_id: which.
            actor: who asks.
            cascade: its results go as well; without it, an experiment that has any stays.
            dry_run: only count.

        Raises:
            Forbidden, ExperimentNotFound, ExperimentProcessing, ExperimentHasResults, DatabaseBusy, DatabaseDamaged.
        """
        actor.require_pipeline(GUARDED_BY, Role.OPERATOR)
        if dry_run:
            document = self._store.read()
            free_experiment(document, experiment_id)
            return Removal(experiment_id=experiment_id, rows=rows_of(document, experiment_id), dry_run=True)
        lost: list[Mapping[str, int]] = []

        def edit(document: Document) -> tuple[Document, Note]:
            present = free_experiment(document, experiment_id)
            results = results_of(document, experiment_id)
            if results and not cascade:
                raise ExperimentHasResults(
                    f"The experiment {experiment_id} has {counted(sum(results.values()), 'row')} of results in "
                    f"{counted(len(results), 'table')}.",
                    hint="Delete with cascade to remove them as well; with dry_run they are only counted.",
                    fields={"cascade": "has to be true, as there are results"},
                )
            lost.append(rows_of(document, experiment_id))
            return without_experiment(document, experiment_id), _note(actor, "delete", present, rows=dict(lost[-1]))

        self._store.change(edit)
        return Removal(experiment_id=experiment_id, rows=lost[-1], dry_run=False)

    def change_status(
        self,
        experiment_id: int,
        status: str,
        *,
        actor: Actor,
        reason: str = "",
        runs: Mapping[str, str] | None = None,
    ) -> Experiment:
        """Move an experiment on; for what runs it.

        Args:
            experiment_id: which.
            status: what it becomes.
            actor: on whose behalf.
            reason: why it failed; has to be given then, and only then.
            runs: pipeline -> id of its run, put beside those known.

        Raises:
            Forbidden, ExperimentNotFound, ExperimentStatusConflict, DatabaseBusy, DatabaseDamaged.
        """

        def changed(document: Document, present: Experiment) -> tuple[Document, Experiment]:
            return document, _moved(present, status, self._now(), reason).with_runs(runs or {})

        return self._changed(experiment_id, status, changed, actor=actor, while_processing=True)

    # -- shared -----------------------------------------------------------------------------------------------------------

    def _changed(
        self,
        experiment_id: int,
        action: str,
        change: Callable[[Document, Experiment], tuple[Document, Experiment]],
        *,
        actor: Actor,
        while_processing: bool = False,
    ) -> Experiment:
        actor.require_pipeline(GUARDED_BY, Role.OPERATOR)
        made: list[Experiment] = []

        def edit(document: Document) -> tuple[Document, Note]:
            present = (
                found_experiment(document, experiment_id)
                if while_processing
                else free_experiment(document, experiment_id)
            )
            after, experiment = change(document, present)
            made.append(experiment)
            return with_experiment(after, experiment), _note(actor, action, experiment)

        self._store.change(edit)
        return made[-1]

    def _define(self, document: Document, given: Mapping[str, Any]) -> Definition:
        """What is asked for; without a word on files, on all that there are now, or were as of the instant that is named."""
        known = {record["file_id"]: record for record in document.records(FILES)}
        try:
            definition = define(given, self._defaults())
        except Refused as error:
            raise refusal(error) from error
        if given.get("id_files") is None:
            definition = replace(definition, id_files=tuple(sorted(_known_by(known, definition.as_of))))
        problems = [*self._problems_with_future(definition), *problems_with_files(definition, known)]
        if problems:
            raise refusal(Refused(problems))
        return definition

    def _problems_with_future(self, definition: Definition) -> Iterator[Problem]:
        if definition.as_of > self._now():
            yield Problem("as_of", f"{definition.as_of} has not come yet", "Choose an instant that is over.")

    def _now(self) -> str:
        return self._clock.now().isoformat(timespec="microseconds")


def _known_by(files: Mapping[int, Mapping[str, Any]], as_of: str) -> Iterator[int]:
    """Numbers of the files that had been taken in by then; '': of all."""
    return (number for number, record in files.items() if not as_of or not read_file_record(record).was_later(as_of))


def free_experiment(document: Document, experiment_id: int) -> Experiment:
    """The experiment, which no run computes.

    Raises:
        ExperimentNotFound, ExperimentProcessing, DatabaseDamaged.
    """
    found = found_experiment(document, experiment_id)
    if found.status == PROCESSING:
        raise ExperimentProcessing(f"A run computes the experiment {experiment_id}.", extra={"runs": dict(found.runs)})
    return found


def refusal(error: Refused) -> ExperimentRefused:
    """The problems as the API tells them: each field once, and each problem apart."""
    fields: dict[str, str] = {}
    for one in error.problems:
        fields[one.field] = f"{fields[one.field]} {one}" if one.field in fields else str(one)
    return ExperimentRefused(
        f"There {'is' if len(error.problems) == 1 else 'are'} {counted(len(error.problems), 'problem')} with the "
        f"experiment: {'; '.join(f'{one.field}: {one.problem}' for one in error.problems)}.",
        fields=fields,
        extra={"problems": [vars(one) for one in error.problems]},
    )


def found_experiment(document: Document, experiment_id: int) -> Experiment:
    """The experiment.

    Raises:
        ExperimentNotFound, DatabaseDamaged.
    """
    try:
        found = find_experiment(document, experiment_id)
    except Refused as error:
        raise _damaged(error) from error
    if found is None:
        raise ExperimentNotFound(
            f"There is no experiment {experiment_id}.", fields={"experiment_id": "there is no such experiment"}
        )
    return found


def _moved(experiment: Experiment, status: str, at: str, reason: str) -> Experiment:
    try:
        return experiment.moved(status, at=at, reason=reason)
    except StatusRefused as error:
        raise ExperimentStatusConflict(str(error)) from error


def _refuse_twin(document: Document, definition: Definition, but: int | None = None) -> None:
    try:
        twin = find_twin(document, definition, but)
    except Refused as error:
        raise _damaged(error) from error
    if twin is not None:
        raise ExperimentTwin(
            f"The experiment {twin.experiment_id} ({twin.experiment_name}) is the same but for its name.",
            extra={"twin_id": twin.experiment_id},
        )


def _refuse_change(present: Experiment, definition: Definition) -> None:
    before, after = present.content(), definition.content()
    differing = [name for name in before if before[name] != after[name]]
    raise ExperimentHasResults(
        f"The experiment {present.experiment_id} is {present.status}: its results hang on {', '.join(differing)}.",
        fields=dict.fromkeys(differing, "results hang on it; reset the experiment first"),
    )


def _damaged(error: Refused) -> DatabaseDamaged:
    return DatabaseDamaged(f"The table experiments holds a row that is no experiment: {error}.")


def _note(actor: Actor, action: str, experiment: Experiment, **more: Any) -> Note:
    detail = {"name": experiment.experiment_name, "status": experiment.status, **more}
    if experiment.reason:
        detail["reason"] = experiment.reason
    return Note(
        actor=actor,
        action=f"churn_experiment.{action}",
        subject=f"churn_experiment:{experiment.experiment_id}",
        detail=detail,
    )
