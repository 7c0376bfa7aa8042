"""What is wrong with an experiment given the files that it is to be computed on: months and columns that they do not have."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .dictionary import DYNAMIC, STATIC
from .experiment import Definition
from .files import DictionariesDiffer, IngestedFile, common_dictionary, read_file_record
from .files_together import contradictions
from .month import Month
from .problem import Problem, unknown


def problems_with_files(definition: Definition, known: Mapping[int, Mapping[str, Any]]) -> Iterator[Problem]:
    """Files that are not there; windows and columns that those which are do not have.

    Args:
        definition: what people decided.
        known: number of a file -> its row of the table `files`.
    """
    for number in definition.id_files:
        if number not in known:
            yield Problem(
                "id_files", f"there is no file {number}", "`fastflow churn files` lists those that are there."
            )
    files = [read_file_record(known[number]) for number in definition.id_files if number in known]
    yield from _problems_with_as_of(definition, files)
    if not files or len(files) < len(definition.id_files):
        return
    against = list(contradictions(files))
    yield from against
    if against:
        return
    first = Month.parse(min(file.first_month for file in files))
    last = Month.parse(max(file.last_month for file in files))
    advice = "Move the window, or take in more months."
    if definition.training_from < first:
        yield Problem("training_from", f"the files hold nothing before {first}", advice)
    if definition.training_to > last:
        yield Problem("training_to", f"the files hold nothing after {last}", advice)
    if definition.backtest_to > last:
        yield Problem("backtest_to", f"the files hold nothing after {last}", advice)
    try:
        columns = common_dictionary(files)["columns"]
    except DictionariesDiffer as error:
        yield Problem("id_files", str(error), "Take one of the files in again with a dictionary that agrees.")
        return
    yield from _problems_with_columns(definition.hyperparameters, columns)


def _problems_with_as_of(definition: Definition, files: Sequence[IngestedFile]) -> Iterator[Problem]:
    if not definition.as_of:
        return
    if not definition.id_files:
        yield Problem("as_of", "no file had been taken in by then", "Choose a later instant.")
    for file in files:
        if file.was_later(definition.as_of):
            problem = f"the file {file.file_id} was taken in at {file.ingested_at}, after as_of"
            yield Problem("id_files", problem, "Leave it out, or choose a later as_of.")


def _problems_with_columns(settings: Mapping[str, Any], columns: Mapping[str, Mapping[str, str]]) -> Iterator[Problem]:
    """Settings that name a column which is no feature, or want to move words up and down."""
    features = [name for name, said in columns.items() if said["role"] in (DYNAMIC, STATIC)]
    for name in settings.get("cox_covariates") or ():
        if name not in features:
            yield unknown("hyperparameters.cox_covariates", name, features)
    for name, rule in (settings.get("cf", {}).get("policy") or {}).items():
        where = f"hyperparameters.cf.policy.{name[:100]}"
        if name not in features:
            yield unknown(where, name, features)
        elif columns[name]["type"] == "text" and rule.get("change", "immutable") != "immutable":
            yield Problem(f"{where}.change", f"{name} holds words, which have no up and down", "Make it immutable.")
