"""An experiment: which months train, which test, how, and on what data; and what has become of it.

Its months are checked together, so that no definition stands that no pipeline could compute. Its status changes only
along `NEXT`: what says `processed` was computed.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from .as_of import HOW, AsOfError, read_as_of, written
from .chain import Chain, Step, read_chain
from .hyperparameters import FEATURE_SETS, MODEL_TYPES, SETTING_NAMES, Settings, problems_with
from .month import Month, MonthError, Window
from .problem import Problem, Refused, shown, unknown
from .timeline import gap_between

CREATED, PROCESSING, PROCESSED, FAILED = "created", "processing", "processed", "failed"
STATUSES = (CREATED, PROCESSING, PROCESSED, FAILED)
NEXT: Mapping[str, frozenset[str]] = {
    CREATED: frozenset({PROCESSING}),
    PROCESSING: frozenset({PROCESSED, FAILED}),
    PROCESSED: frozenset({PROCESSING, CREATED}),
    FAILED: frozenset({PROCESSING, CREATED}),
}
"""Status -> what may come after it. Back to `created` goes with the loss of its results."""
MONTHS = ("training_from", "training_to", "backtest_from", "backtest_to")
LONGEST_NAME = 200
MOST_FILES = 1000


class StatusRefused(ValueError):
    """A status cannot follow another one; says which."""


@dataclass(frozen=True, kw_only=True)
class Definition:
    """What people decide.

    Attributes:
        experiment_name: for people; need not be unique.
        training_from, training_to: first and last month of the training window.
        backtest_from, backtest_to: of the window whose labels test.
        model_type: a word of `MODEL_TYPES`.
        feature_set: a word of `FEATURE_SETS`.
        hyperparameters: all settings with their values, as JSON has them: nothing is left to a later default.
        id_files: numbers of the files whose rows it is computed on, rising.
        as_of: instant by which these had been taken in, ISO 8601 UTC; '': none was said.
    """

    experiment_name: str
    training_from: Month
    training_to: Month
    backtest_from: Month
    backtest_to: Month
    model_type: str
    feature_set: str
    hyperparameters: Mapping[str, Any]
    id_files: tuple[int, ...] = ()
    as_of: str = ""

    @property
    def training(self) -> Window:
        """The training window."""
        return Window(self.training_from, self.training_to)

    @property
    def backtest(self) -> Window:
        """The backtest window."""
        return Window(self.backtest_from, self.backtest_to)

    def content(self) -> dict[str, Any]:
        """All but the name, as JSON has it: experiments with equal contents are twins."""
        return {
            **{name: getattr(self, name).yyyymm for name in MONTHS},
            "model_type": self.model_type,
            "feature_set": self.feature_set,
            "hyperparameters": dict(self.hyperparameters),
            "id_files": list(self.id_files),
            "as_of": self.as_of,
        }


@dataclass(frozen=True, kw_only=True)
class Experiment(Definition):
    """One experiment.

    Attributes:
        experiment_id: its number; never given twice.
        data_fingerprint: SHA-256 over the content hashes of its files; '' without files.
        status: one of `STATUSES`.
        reason: why it failed; '' else.
        runs: pipeline -> id of its last run.
        chain: the steps that compute it whole, if it was started so the last time.
        created_at, updated_at, processed_at: ISO 8601 UTC; processed_at is '' until it was.
    """

    experiment_id: int
    data_fingerprint: str = ""
    status: str = CREATED
    reason: str = ""
    runs: Mapping[str, str] = field(default_factory=dict)
    chain: Chain | None = None
    created_at: str = ""
    updated_at: str = ""
    processed_at: str = ""

    def record(self) -> dict[str, Any]:
        """The row of the table `experiments`; also what a run is given as experiment.json."""
        return {
            "experiment_id": self.experiment_id,
            "experiment_name": self.experiment_name,
            **self.content(),
            "data_fingerprint": self.data_fingerprint,
            "status": self.status,
            "reason": self.reason,
            "runs": dict(self.runs),
            "chain": {} if self.chain is None else self.chain.record(),
            "created_at": self.created_at,
            "updated_at": self.updated_at,
            "processed_at": self.processed_at,
        }

    def redefined(self, definition: Definition) -> "Experiment":
        """The same experiment with what people decided anew."""
        return replace(self, **{each.name: getattr(definition, each.name) for each in fields(Definition)})

    @property
    def step(self) -> Step | None:
        """The step of its chain that waits or runs; None: none does."""
        return None if self.chain is None else self.chain.current

    def with_runs(self, runs: Mapping[str, str]) -> "Experiment":
        """The experiment with these as the last runs of their pipelines."""
        return replace(self, runs={**self.runs, **runs})

    def moved(self, status: str, *, at: str, reason: str = "") -> "Experiment":
        """The experiment in its next status.

        Args:
            status: one of `STATUSES`.
            at: now, ISO 8601 UTC.
            reason: why it failed; has to be given then, and only then.

        Raises:
            StatusRefused: that cannot follow the present one.
        """
        if status not in NEXT[self.status]:
            raise StatusRefused(f"The experiment {self.experiment_id} is {self.status} and cannot become {status}.")
        if bool(reason) != (status == FAILED):
            raise StatusRefused(f"The experiment {self.experiment_id} needs a reason for being failed, and only then.")
        processed_at = {PROCESSED: at, CREATED: ""}.get(status, self.processed_at)
        runs, chain = ({}, None) if status == CREATED else (self.runs, self.chain)
        if status == FAILED and chain is not None and chain.current is not None:
            reason, chain = f"The step {chain.current.name} failed: {reason}", chain.failed()
        moved = replace(self, status=status, reason=reason, runs=runs, chain=chain)
        return replace(moved, processed_at=processed_at, updated_at=at)


def read_experiment_record(record: Mapping[str, Any]) -> Experiment:
    """The experiment of a row of the table.

    Raises:
        Refused: a field is missing, or not what `Experiment.record` writes.
    """
    definition = define({each.name: record.get(each.name) for each in fields(Definition)})
    number, status, runs = record.get("experiment_id"), record.get("status"), record.get("runs", {})
    problems = []
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        problems.append(Problem("experiment_id", f"{shown(number)} is no whole number from 1", "Restore a snapshot."))
    if status not in STATUSES:
        problems.append(unknown("status", status, STATUSES))
    if not isinstance(runs, Mapping):
        problems.append(Problem("runs", f"{shown(runs)} is no object", "Restore a snapshot."))
    if problems:
        raise Refused(problems)
    chain = read_chain(record.get("chain"))
    own = {each.name: getattr(definition, each.name) for each in fields(Definition)}
    told: dict[str, Any] = {name: str(record.get(name, "")) for name in _TEXTS}
    return Experiment(experiment_id=int(str(number)), status=str(status), runs=dict(runs), chain=chain, **own, **told)


_TEXTS = ("data_fingerprint", "reason", "created_at", "updated_at", "processed_at")


# -- what people ask for ------------------------------------------------------------------------------------------------


def define(given: Mapping[str, Any], defaults: Mapping[str, Any] | None = None) -> Definition:
    """What people ask for, whole: settings that are not given take the value of the defaults, else the method's.

    Args:
        given: field -> value, as JSON has it; a field that is None counts as not given.
        defaults: `model_type`, `feature_set` and `hyperparameters` that hold where nothing is given.

    Raises:
        Refused: with everything that is wrong.
    """
    usual = {"model_type": "gradient_boosting", "feature_set": "standard", **(defaults or {})}
    wanted = {**usual, **{name: value for name, value in given.items() if value is not None}}
    months, problems = _months(wanted)
    problems += _problems_with_words(wanted)
    as_of, wrong_instant = _as_of(wanted)
    problems += wrong_instant
    said = given.get("hyperparameters")
    said = {} if said is None else said
    if isinstance(said, Mapping):
        settings = {**usual.get("hyperparameters", {}), **said}
        wrong = list(problems_with(settings, "hyperparameters."))
    else:
        settings, wrong = {}, [Problem("hyperparameters", f"{shown(said)} is no object", "Give names and values.")]
    problems += wrong
    if len(months) == len(MONTHS):
        wrong_names = {problem.field.removeprefix("hyperparameters.").partition(".")[0] for problem in wrong}
        judged = {name: value for name, value in settings.items() if name not in wrong_names}
        problems += _problems_with_windows(months, judged)
    if problems:
        raise Refused(problems)
    return Definition(
        experiment_name=str(wanted["experiment_name"]).strip(),
        model_type=wanted["model_type"],
        feature_set=wanted["feature_set"],
        hyperparameters=snapshot(settings, months["training_to"]),
        id_files=tuple(sorted(set(wanted.get("id_files", ())))),
        as_of=as_of,
        **months,
    )


def usual_words(content: Any) -> list[Problem]:
    """What is wrong with defaults of experiments: `model_type`, `feature_set` and `hyperparameters`, each may be missing."""
    if not isinstance(content, Mapping):
        return [Problem("file", "holds no object", "Write a JSON object.")]
    known = {"model_type": MODEL_TYPES, "feature_set": FEATURE_SETS}
    problems = [unknown(str(name), name, (*known, "hyperparameters")) for name in content if name not in _USUAL]
    for name, words in known.items():
        if name in content and (not isinstance(content[name], str) or content[name] not in words):
            problems.append(unknown(name, content[name], words))
    settings = content.get("hyperparameters", {})
    if not isinstance(settings, Mapping):
        return [*problems, Problem("hyperparameters", f"{shown(settings)} is no object", "Give names and values.")]
    return [*problems, *problems_with(settings, "hyperparameters.")]


_USUAL = ("model_type", "feature_set", "hyperparameters")


def snapshot(settings: Mapping[str, Any], training_to: Month) -> dict[str, Any]:
    """All settings with the values that hold, as JSON has them."""
    usual = Settings()
    full = {name: settings.get(name, getattr(usual, name)) for name in SETTING_NAMES}
    if full["cutoff_exclusive"] is None:
        full["cutoff_exclusive"] = (training_to + 1).yyyymm
    full["cutoff_exclusive"] = Month.parse(full["cutoff_exclusive"]).yyyymm
    return {name: _plain(value) for name, value in full.items()}


def chosen(definition: Definition) -> dict[str, Any]:
    """The settings that are not what they would be if nothing was said, nor follow from the training window."""
    usual = snapshot({}, definition.training_to)
    return {name: value for name, value in definition.hyperparameters.items() if value != usual[name]}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value


def _months(wanted: Mapping[str, Any]) -> tuple[dict[str, Month], list[Problem]]:
    months, problems = {}, []
    for name in MONTHS:
        try:
            if wanted.get(name) is None:
                problems.append(Problem(name, "is missing", "Give a month as YYYYMM, such as 199707."))
            else:
                months[name] = Month.parse(wanted[name])
        except MonthError as error:
            problems.append(Problem(name, str(error).rstrip("."), "Correct the month."))
    return months, problems


def _as_of(wanted: Mapping[str, Any]) -> tuple[str, list[Problem]]:
    given = wanted.get("as_of", "")
    if given == "":
        return "", []
    try:
        return written(read_as_of(given)), []
    except AsOfError as error:
        return "", [Problem("as_of", f"{shown(given)} {error}", HOW)]


def _problems_with_words(wanted: Mapping[str, Any]) -> list[Problem]:
    problems = []
    name = wanted.get("experiment_name")
    if not isinstance(name, str) or not name.strip():
        problems.append(Problem("experiment_name", "is missing", "Give it a name that people know it by."))
    elif len(name) > LONGEST_NAME or not name.isprintable():
        problems.append(
            Problem(
                "experiment_name", f"{shown(name)} is too long, or not one line", f"Use {LONGEST_NAME} letters at most."
            )
        )
    for field_name, known in (("model_type", MODEL_TYPES), ("feature_set", FEATURE_SETS)):
        if not isinstance(wanted[field_name], str) or wanted[field_name] not in known:
            problems.append(unknown(field_name, wanted[field_name], known))
    files = wanted.get("id_files", ())
    if not _are_numbers(files):
        problems.append(
            Problem("id_files", f"{shown(files)} is no list of numbers of files", "`fastflow churn files` lists them.")
        )
    return problems


def _are_numbers(files: Any) -> bool:
    return (
        isinstance(files, Sequence)
        and not isinstance(files, str)
        and len(files) <= MOST_FILES
        and all(isinstance(one, int) and not isinstance(one, bool) and one > 0 for one in files)
    )


def _problems_with_windows(months: Mapping[str, Month], settings: Mapping[str, Any]) -> Iterator[Problem]:
    """What is wrong with the windows together; a window that is reversed is not compared any further."""
    first = "Give the earlier month first."
    is_ordered = True
    for name in ("training", "backtest"):
        begin, end = months[f"{name}_from"], months[f"{name}_to"]
        if end < begin:
            is_ordered = False
            yield Problem(f"{name}_to", f"the {name} window {begin}-{end} is reversed", first)
    if not is_ordered:
        return
    training = Window(months["training_from"], months["training_to"])
    backtest = Window(months["backtest_from"], months["backtest_to"])
    if backtest.first <= training.last:
        where = "overlaps" if training.overlaps(backtest) else "lies before"
        problem = f"the backtest window {backtest} {where} the training window {training}"
        yield Problem("backtest_from", problem, f"Begin the backtest after {training.last}.")
        return
    yield from _problems_with_room(training, backtest, settings)
    yield from _problems_with_cutoff(training, backtest, settings)


def _problems_with_room(training: Window, backtest: Window, settings: Mapping[str, Any]) -> Iterator[Problem]:
    usual = Settings()
    history = settings.get("history_months", usual.history_months)
    embargo = settings.get("embargo_months", usual.embargo_months)
    gap = gap_between(training, backtest, embargo)
    need = history + gap + len(backtest)
    if len(training) < need:
        yield Problem(
            "training_from",
            f"the training window {training} has {len(training)} months; {history} of history, {gap} of gap and "
            f"{len(backtest)} of labels need {need}",
            "Lengthen the training window, shorten the backtest window, or lower history_months.",
        )


def _problems_with_cutoff(training: Window, backtest: Window, settings: Mapping[str, Any]) -> Iterator[Problem]:
    given = settings.get("cutoff_exclusive")
    if given is None:
        return
    cutoff, name = Month.parse(given), "hyperparameters.cutoff_exclusive"
    history = settings.get("history_months", Settings().history_months)
    if cutoff > backtest.first:
        problem = f"the survival analysis would see months of the backtest window {backtest} before {cutoff}"
        yield Problem(name, problem, f"Choose {backtest.first} or an earlier month.")
    elif cutoff - training.first < history + 1:
        problem = f"{cutoff} leaves no month after {history} months of history from {training.first}"
        yield Problem(name, problem, f"Choose {training.first + history + 1} or a later month.")
