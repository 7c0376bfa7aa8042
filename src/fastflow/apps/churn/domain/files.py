"""Files that were taken in, and the rule that turns a list of transactions into a panel."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

from .dictionary import CUSTOMER, DYNAMIC, Dictionary, read_dictionary
from .month import Month

PANEL, TRANSACTIONS = "panel", "transactions"
KINDS = (PANEL, TRANSACTIONS)
LONGEST_GAP = 120
COUNT, AMOUNT, QUANTITY = "i_transactions", "n_amount", "n_quantity"
"""The features that come out of a list of transactions, per customer and month."""


class RuleError(ValueError):
    """A rule cannot be meant; `field` says which of its settings."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


@dataclass(frozen=True, kw_only=True)
class ChurnRule:
    """When a customer of a list of transactions counts as dead.

    Dead in a month: no transaction in it and in the `gap_months` - 1 months before it. So a state is known at the end of
    its month, from what had happened by then; a customer who returns is alive again.

    Attributes:
        gap_months: months without a transaction.
        through: the last month that was observed to its end, YYYYMM; None: the last one in the file.
        customer, date: columns of the file.
        amount, quantity: columns of the file that are summed per month; None: none.
    """

    gap_months: int
    through: int | None = None
    customer: str = "customer"
    date: str = "date"
    amount: str | None = None
    quantity: str | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.gap_months <= LONGEST_GAP:
            raise RuleError("gap_months", f"is not in 1 to {LONGEST_GAP}")
        if self.through is not None:
            Month.parse(self.through)
        named = [name for name in (self.customer, self.date, self.amount, self.quantity) if name is not None]
        if len(set(named)) != len(named):
            raise RuleError("customer, date, amount, quantity", "name one column twice")

    def record(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    def dictionary(self) -> Dictionary:
        """Of the panel that it makes."""
        columns: dict[str, Any] = {
            CUSTOMER: {"role": "PRIMARY_KEY", "source": self.customer},
            "I_TIMEBASE": {"role": "TIMEBASE", "source": self.date},
            "I_Alive": {"role": "TARGET"},
            COUNT: {"role": DYNAMIC, "type": "integer"},
        }
        for name, source in ((AMOUNT, self.amount), (QUANTITY, self.quantity)):
            if source is not None:
                columns[name] = {"role": DYNAMIC, "type": "number", "source": source}
        return read_dictionary({"columns": columns, "returns": "allow"})


@dataclass(frozen=True, kw_only=True)
class IngestedFile:
    """One file that was taken in.

    Attributes:
        file_id: its number; rows of rawdata carry it as id_files.
        name: what people call it.
        kind: panel or transactions.
        content_sha256: of its bytes, its dictionary and its rule.
        rows: of the panel.
        customers: of the panel.
        first_month, last_month: of the panel, YYYYMM.
        dictionary: of the panel's columns, normalised.
        churn_rule: how transactions became the panel; None for a panel.
        ingested_at: ISO UTC.
        ingested_by: whoever did.
    """

    file_id: int
    name: str
    kind: str
    content_sha256: str
    rows: int
    customers: int
    first_month: int
    last_month: int
    dictionary: Mapping[str, Any]
    churn_rule: Mapping[str, Any] | None
    ingested_at: str
    ingested_by: str

    def was_later(self, instant: str) -> bool:
        """Whether it was taken in after the instant, ISO 8601."""
        return datetime.fromisoformat(self.ingested_at) > datetime.fromisoformat(instant)

    def record(self) -> dict[str, Any]:
        """As a row of the table `files`."""
        return {one.name: getattr(self, one.name) for one in fields(self)}


def read_file_record(record: Mapping[str, Any]) -> IngestedFile:
    """The file of a row of the table `files`."""
    return IngestedFile(**{one.name: record[one.name] for one in fields(IngestedFile)})


class DictionariesDiffer(ValueError):
    """Files call one column by different roles or types; names it."""


def common_dictionary(files: Sequence[IngestedFile]) -> dict[str, Any]:
    """The columns of all the files together, as the method reads a dictionary; ignored ones are not among them.

    Raises:
        DictionariesDiffer: two files mean different things by one name.
    """
    columns: dict[str, dict[str, str]] = {}
    first: dict[str, int] = {}
    for file in files:
        for column in read_dictionary(file.dictionary).taken():
            said = {"role": column.role, "type": column.type}
            known = columns.setdefault(column.name, said)
            owner = first.setdefault(column.name, file.file_id)
            if known["role"] != said["role"] or (known["type"] == "text") != (said["type"] == "text"):
                raise DictionariesDiffer(
                    f"{column.name} is {known['role']} ({known['type']}) in the file {owner} "
                    f"and {said['role']} ({said['type']}) in the file {file.file_id}"
                )
    return {"columns": columns}
