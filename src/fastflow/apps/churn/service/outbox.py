"""Bundles: the results of an experiment leave for the outbox and come back, each domain by itself.

A bundle comes back only to the experiment that it left: the same number, content and data. Its rows take the place of those
that are there, so that coming back twice is coming back once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from fastflow.apps.churn.domain.bundle import (
    DOMAINS,
    PIPELINES,
    SHARED,
    BundleError,
    BundleFile,
    Manifest,
    domain_of,
    is_of,
    tables_of,
)
from fastflow.apps.churn.domain.document import Document, Segment
from fastflow.apps.churn.domain.experiment import CREATED, Experiment, read_experiment_record
from fastflow.apps.churn.domain.experiment_rows import (
    KEY,
    find_experiment,
    find_twin,
    fingerprint,
    with_experiment,
    without_rows,
)
from fastflow.apps.churn.domain.problem import Refused
from fastflow.apps.churn.domain.tables import EXPERIMENTS
from fastflow.apps.churn.errors import BundleDamaged, BundleOfAnother, NothingToExport
from fastflow.apps.churn.ports import Audited, Bundles, ChurnStore, Note, Parcel, Records
from fastflow.apps.churn.service.database import GUARDED_BY
from fastflow.apps.churn.service.experiments import free_experiment
from fastflow.kit.clock import Clock
from fastflow.kit.errors import FastFlowError
from fastflow.kit.identity import Actor, Role


class ExperimentBundles:
    """The use cases.

    Args:
        store: the churn database.
        bundles: the folder of bundles.
        audited: writes into the audit log.
        clock: tells the time.
    """

    def __init__(self, store: ChurnStore, bundles: Bundles, audited: Audited, clock: Clock) -> None:
        self._store = store
        self._bundles = bundles
        self._audited = audited
        self._clock = clock

    def list(self, *, actor: Actor) -> Sequence[tuple[Manifest | BundleError, str]]:
        """All bundles by their manifests, or why one cannot be read; each with why it cannot come back, '' when it can."""
        actor.require_pipeline(GUARDED_BY)
        document = self._store.read()
        return [
            (one, str(one) if isinstance(one, BundleError) else _hindrance(document, one))
            for one in self._bundles.list()
        ]

    def export(self, experiment_id: int, *, actor: Actor) -> Sequence[Manifest]:
        """Write a bundle for every domain in which the experiment has results, in the place of earlier ones.

        Raises:
            Forbidden, ExperimentNotFound, ExperimentProcessing, NothingToExport, OutboxUnwritable, DatabaseDamaged.
        """
        actor.require_pipeline(GUARDED_BY, Role.OPERATOR)
        document = self._store.read()
        experiment = free_experiment(document, experiment_id)
        wanted = {domain: tables_of(document, domain, experiment_id) for domain in DOMAINS}
        if not any(wanted.values()):
            raise NothingToExport(f"The experiment {experiment_id} has no results.")
        now, record = self._clock.now().isoformat(timespec="microseconds"), experiment.record()
        made = [
            self._bundles.write(
                Parcel(domain=domain, experiment=record, tables=tables, at=now), document, self._store.segment
            )
            for domain, tables in wanted.items()
            if tables
        ]
        with self._audited(_note(actor, "export", experiment, made)):
            return made

    def load(self, domain: str, experiment_id: int, *, actor: Actor) -> Manifest:
        """Put a bundle's rows in the place of the experiment's rows of that domain; an experiment that was deleted is made
        again as the manifest has it, with its number.

        Raises:
            Forbidden, BundleNotFound, BundleDamaged, BundleOfAnother, ExperimentNotFound, ExperimentProcessing,
            DatabaseBusy, DatabaseDamaged: nothing was changed.
        """
        actor.require_pipeline(GUARDED_BY, Role.OPERATOR)
        manifest = self._bundles.read(domain, experiment_id)
        with self._store.staging() as staging, self._bundles.opened(manifest, staging) as records:

            def edit(document: Document) -> tuple[Document, Note]:
                present = _same(_target(document, manifest), manifest)
                after = _taken_over(document, manifest, records)
                after = with_experiment(after, present)
                return after, _note(actor, "import", present, [manifest])

            self._store.change(edit, sorted(staging.iterdir()))
        return manifest


def _told(manifest: Manifest) -> Experiment:
    try:
        return read_experiment_record(manifest.experiment)
    except Refused as error:
        raise BundleDamaged(f"The manifest's experiment is none: {error}.") from error


def _target(document: Document, manifest: Manifest) -> Experiment:
    """The experiment that the bundle comes back to: the one of its number, or, where that was deleted, as it was told."""
    number = manifest.experiment_id
    if find_experiment(document, number) is not None or document.counters.get(EXPERIMENTS, 0) < number:
        return free_experiment(document, number)
    told = _told(manifest)
    if told.data_fingerprint != fingerprint(document, told.id_files):
        raise BundleOfAnother(
            f"The experiment {number} was deleted, and the files that it was computed on are not all here."
        )
    twin = find_twin(document, told)
    if twin is not None:
        raise BundleOfAnother(
            f"The experiment {number} was deleted, and the experiment {twin.experiment_id} is the same."
        )
    return replace(told, status=CREATED, reason="", runs={}, chain=None, processed_at="")


def _hindrance(document: Document, manifest: Manifest) -> str:
    """Why the bundle cannot come back now; '' when it can, as far as its manifest says."""
    try:
        _same(_target(document, manifest), manifest)
    except FastFlowError as error:
        return error.message
    return ""


def _same(present: Experiment, manifest: Manifest) -> Experiment:
    """The experiment, as it stands with the bundle's rows: of one that was reset, with the status it had."""
    told = _told(manifest)
    if told.content() != present.content() or told.data_fingerprint != present.data_fingerprint:
        raise BundleOfAnother(
            f"The bundle is of an experiment {told.experiment_id} ({told.experiment_name}) with other windows, settings or "
            f"data than the experiment {present.experiment_id} ({present.experiment_name}) here."
        )
    if present.status != CREATED:
        return present
    pipeline = PIPELINES[manifest.domain]
    runs = {name: run for name, run in told.runs.items() if name == pipeline}
    own = {name: getattr(told, name) for name in ("status", "reason", "processed_at", "updated_at")}
    return replace(present, **own).with_runs(runs)


def _taken_over(document: Document, manifest: Manifest, records: Records) -> Document:
    number = manifest.experiment_id
    own = [name for name in document.tables if domain_of(name) == manifest.domain]
    after = without_rows(document, number, own)
    if SHARED in after.tables:
        rows = after.records(SHARED)
        others = [row for row in rows if row.get(KEY) != number or not is_of(manifest.domain, SHARED, row)]
        after = after.with_records(SHARED, others)
    for name, told in manifest.tables.items():
        table = after.tables.get(name, told)
        files = [file for file in manifest.files if file.table == name]
        if (table.segments is None) != (told.segments is None):
            raise BundleDamaged(f"The table {name} is kept in another way here than in the bundle.")
        if table.segments is None:
            table = replace(table, records=(*(table.records or ()), *records.get(name, ())))
        else:
            table = replace(table, segments=(*table.segments, *(_segment(file, number) for file in files)))
        after = after.with_table(name, table)
    return after


def _segment(file: BundleFile, experiment_id: int) -> Segment:
    return Segment(sha256=file.sha256, rows=file.rows, size=file.size, belongs={KEY: experiment_id})


def _note(actor: Actor, action: str, experiment: Experiment, manifests: Sequence[Manifest]) -> Note:
    rows: Mapping[str, int] = {one.domain: sum(one.rows.values()) for one in manifests}
    return Note(
        actor=actor,
        action=f"churn_bundle.{action}",
        subject=f"churn_experiment:{experiment.experiment_id}",
        detail={"name": experiment.experiment_name, "rows": rows},
    )
