"""Several files as one panel: what they contradict each other in, and what is worth knowing before an experiment stands on them."""

from collections.abc import Iterator, Sequence
from itertools import combinations

from .dictionary import DYNAMIC, STATIC, read_dictionary
from .experiment import Definition
from .files import TRANSACTIONS, IngestedFile
from .month import Month, Window
from .problem import Problem

APART = "Name one of them in id_files, or files that were taken in by one rule."


def contradictions(files: Sequence[IngestedFile]) -> Iterator[Problem]:
    """Pairs of files that tell of the same months and mean different things by them: as one panel, the newer one's rows would
    silently take the place of the older one's."""
    for older, newer in combinations(sorted(files, key=lambda file: file.file_id), 2):
        if not _months(older).overlaps(_months(newer)):
            continue
        if _who_churns(older) != _who_churns(newer):
            yield Problem(
                "id_files",
                f"the file {older.file_id} ({older.name}: {_who_churns(older)}) and the file {newer.file_id} "
                f"({newer.name}: {_who_churns(newer)}) tell of the same months, but not in the same way who churns",
                APART,
            )
        elif not _features(older) & _features(newer):
            yield Problem(
                "id_files",
                f"the file {older.file_id} ({older.name}) and the file {newer.file_id} ({newer.name}) tell of the same months, "
                "but have no feature in common",
                APART,
            )


def warnings_about(definition: Definition, files: Sequence[IngestedFile]) -> list[str]:
    """What is allowed, but may mislead who does not know it, in sentences.

    Args:
        definition: of an experiment.
        files: that it is computed on.
    """
    return [*_replaced(files), *_fixed_beforehand(definition, files)]


def _replaced(files: Sequence[IngestedFile]) -> Iterator[str]:
    for older, newer in combinations(sorted(files, key=lambda file: file.file_id), 2):
        if _months(older).overlaps(_months(newer)):
            yield (
                f"The files {older.file_id} and {newer.file_id} tell of the same months: where both have a row for a customer "
                f"and month, that of the file {newer.file_id} counts."
            )


def _fixed_beforehand(definition: Definition, files: Sequence[IngestedFile]) -> Iterator[str]:
    """Quiet months that a rule counts, of which some lie before the anchor: the features know part of the answer."""
    ahead = len(definition.backtest) + int(definition.hyperparameters.get("embargo_months", 0))
    for file in files:
        gap = _gap(file)
        if gap > ahead:
            yield (
                f"The file {file.file_id} calls customers dead after {gap} quiet months, but only {ahead} lie between anchor and "
                "end of the backtest window: who churns is partly settled before the anchor, and the scores flatter the model. "
                f"Take a backtest window of {gap} months with outcome=end and population=observed: it asks who buys nothing "
                "in the window."
            )


def _months(file: IngestedFile) -> Window:
    return Window(Month.parse(file.first_month), Month.parse(file.last_month))


def _gap(file: IngestedFile) -> int:
    """Quiet months after which its rule calls a customer dead; 0: the file itself says who is."""
    return int((file.churn_rule or {}).get("gap_months", 0))


def _who_churns(file: IngestedFile) -> str:
    return f"dead after {_gap(file)} quiet months" if file.kind == TRANSACTIONS else "says itself who is dead"


def _features(file: IngestedFile) -> set[str]:
    return {column.name for column in read_dictionary(file.dictionary).taken() if column.role in (DYNAMIC, STATIC)}
