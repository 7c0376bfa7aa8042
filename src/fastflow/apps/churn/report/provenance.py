"""The appendix of a report: which data, windows, settings and runs its figures come from, and who had it written."""

from collections.abc import Sequence

from fastflow.apps.churn.domain.files import IngestedFile
from fastflow.apps.churn.domain.provenance import Provenance, SettingValue, Written, told_window
from fastflow.apps.churn.report.words import NOTHING, columns, known, month, number
from fastflow.ui.reports.blocks import Block, Cell, Column, Section, Table, Text
from fastflow.ui.texts import Data, Phrase, Texts

_HASH_SHOWN = 12


def provenance(t: Texts, origin: Provenance, written: Written | None) -> Section:
    """The appendix.

    Args:
        written: when and for whom; None on a page, which is no document.
    """
    blocks: list[Block] = [_experiment(t, origin, written)]
    if origin.files:
        blocks += [_files(t, origin.files), *_rules(t, origin.files)]
    else:
        blocks.append(Text(words=t("churn_report.no_files")))
    if origin.computed:
        blocks.append(_runs(t, origin))
    differing = [each for each in origin.settings if each.is_chosen]
    if differing:
        blocks.append(_settings(t, "settings_chosen", differing))
    else:
        blocks.append(Text(words=t("churn_report.settings_usual")))
    blocks.append(_settings(t, "settings_all", origin.settings))
    return Section(key="provenance", title=t("churn_report.provenance"), blocks=blocks)


def moment(t: Texts, instant: str) -> Phrase | Data:
    """A time, ISO 8601 UTC, to the minute."""
    return t("churn_report.moment", day=instant[:10], time=instant[11:16]) if instant else NOTHING


def _experiment(t: Texts, origin: Provenance, written: Written | None) -> Table:
    experiment, settings = origin.experiment, origin.experiment.hyperparameters
    rows: list[tuple[str, Phrase | Data]] = [
        ("experiment", Data(f"#{experiment.experiment_id} {experiment.experiment_name}")),
        ("training_window", Data(told_window(experiment.training))),
        ("backtest_window", Data(told_window(experiment.backtest))),
        ("gap_months", number(origin.gap_months, 0)),
        ("what_is_churn", known(t, "outcome", str(settings.get("outcome", "any")))),
        ("whom", known(t, "population", str(settings.get("population", "alive")))),
        ("model_type", known(t, "model", experiment.model_type)),
        ("feature_set", Data(experiment.feature_set)),
        ("seed", Data(origin.seed)),
        ("created_at", moment(t, experiment.created_at)),
    ]
    if experiment.data_fingerprint:
        rows.append(("data_fingerprint", Data(experiment.data_fingerprint[:_HASH_SHOWN])))
    if experiment.as_of:
        rows.append(("as_of", moment(t, experiment.as_of)))
    if written is not None:
        for_whom = t("churn_report.written_on", on=written.on, by=written.by)
        rows += [("written", for_whom), ("version", t("churn_report.written_version", version=written.version))]
    heads = [Column(head=t("churn_report.what")), Column(head=t("churn_report.value"))]
    cells: list[list[Cell]] = [[t(f"churn_report.{name}"), value] for name, value in rows]
    return Table(title=t("churn_report.experiment"), columns=heads, rows=cells)


def _files(t: Texts, files: Sequence[IngestedFile]) -> Table:
    heads = [*columns(t, "file", "rows", "number_of_customers")]
    heads += [Column(head=t(f"churn_report.{key}")) for key in ("months_of", "sha256", "taken_in", "taken_in_by")]
    cells: list[list[Cell]] = [
        [
            Data(f"#{file.file_id} {file.name}"),
            number(file.rows, 0),
            number(file.customers, 0),
            Data(f"{month(file.first_month)} – {month(file.last_month)}"),
            Data(file.content_sha256[:_HASH_SHOWN]),
            moment(t, file.ingested_at),
            Data(file.ingested_by),
        ]
        for file in files
    ]
    return Table(title=t("churn_report.files"), columns=heads, rows=cells, note=t("churn_report.files_about"))


def _rules(t: Texts, files: Sequence[IngestedFile]) -> Sequence[Text]:
    """How transactions became a panel."""
    return [
        Text(words=t("churn_report.file_rule", file=file.name, n=file.churn_rule["gap_months"]))
        for file in files
        if file.churn_rule is not None
    ]


def _runs(t: Texts, origin: Provenance) -> Table:
    heads = [Column(head=t(f"churn_report.{key}")) for key in ("pipeline", "run", "computed_at")]
    cells: list[list[Cell]] = [[Data(each.pipeline), Data(each.run_id), moment(t, each.at)] for each in origin.computed]
    return Table(title=t("churn_report.runs"), columns=heads, rows=cells)


def _settings(t: Texts, title: str, settings: Sequence[SettingValue]) -> Table:
    heads = [Column(head=t(f"churn_report.{key}")) for key in ("setting", "value", "usual")]
    cells: list[list[Cell]] = [[Data(each.name), Data(each.value), Data(each.usual or "–")] for each in settings]
    return Table(title=t(f"churn_report.{title}"), columns=heads, rows=cells)
