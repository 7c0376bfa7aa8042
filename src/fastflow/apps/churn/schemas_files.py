"""Files of the churn workbench on the wire."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from fastflow.apps.churn.domain.dictionary import Dictionary, SeenColumn, guess_decimal
from fastflow.apps.churn.domain.files import IngestedFile
from fastflow.apps.churn.domain.summary import PanelSummary
from fastflow.apps.churn.ports import Rows
from fastflow.apps.churn.service.files import Ingested


class FileOut(BaseModel):
    """A file that was taken in."""

    file_id: int
    name: str
    kind: str = Field(description="panel, or transactions: a panel was made of them.")
    content_sha256: str = Field(description="Of its bytes, its dictionary and its rule.")
    rows: int = Field(description="Of the panel.")
    customers: int
    first_month: int = Field(description="YYYYMM.")
    last_month: int = Field(description="YYYYMM.")
    dictionary: dict[str, Any] = Field(description="Role and type of each column.")
    churn_rule: dict[str, Any] | None = Field(description="How transactions became the panel.")
    ingested_at: datetime = Field(description="Since when its rows are known.")
    ingested_by: str

    @classmethod
    def of(cls, file: IngestedFile) -> "FileOut":
        """The file as the API shows it."""
        return cls.model_validate(file.record())


class FilesOut(BaseModel):
    """All files, oldest first."""

    items: list[FileOut]
    next_cursor: str | None = None

    @classmethod
    def of(cls, files: Sequence[IngestedFile]) -> "FilesOut":
        """The files as the API shows them."""
        return cls(items=[FileOut.of(file) for file in files])


class IngestedOut(BaseModel):
    """What taking in a file came to."""

    file: FileOut
    is_new: bool = Field(description="False: the same content was there already; nothing was done.")
    notes: list[str] = Field(description="What is worth knowing of it, in sentences.")

    @classmethod
    def of(cls, done: Ingested) -> "IngestedOut":
        """It as the API shows it."""
        return cls(file=FileOut.of(done.file), is_new=done.is_new, notes=list(done.notes))


class DictionaryOut(BaseModel):
    """A data dictionary."""

    columns: dict[str, Any] = Field(description="Name in the panel -> role, type, and source: its name in the file.")
    gaps: str = Field(description="refuse or allow: months that are missing between a customer's first and last.")
    returns: str = Field(description="refuse or allow: life after a month that says dead.")
    decimal: str = Field(description="What separates decimals in CSV.")

    @classmethod
    def of(cls, dictionary: Dictionary) -> "DictionaryOut":
        """It as the API shows it."""
        return cls.model_validate(dictionary.record())


class RowsOut(BaseModel):
    """Rows of a file's panel, in its order."""

    columns: list[str]
    rows: list[list[Any]]

    @classmethod
    def of(cls, found: Rows) -> "RowsOut":
        """They as the API shows them."""
        return cls(columns=list(found.columns), rows=[list(row) for row in found.rows])


class SeenColumnOut(BaseModel):
    """A column of a file that is not taken in."""

    name: str = Field(description="In the file.")
    type: str = Field(description="integer, number or text, whichever its values are.")
    changes: bool | None = Field(description="It has more than one value for some customer; null: unknown.")
    role: str = Field(description="That it probably has.")


class SeenColumnsOut(BaseModel):
    """The columns of a file that is not taken in."""

    items: list[SeenColumnOut]
    decimal: str = Field(description="What probably separates decimals: a point or a comma.")

    @classmethod
    def of(cls, seen: Sequence[tuple[SeenColumn, str]]) -> "SeenColumnsOut":
        """They as the API shows them."""
        return cls(
            items=[SeenColumnOut(name=one.name, type=one.type, changes=one.changes, role=role) for one, role in seen],
            decimal=guess_decimal([one for one, _ in seen]),
        )


class ColumnSummaryOut(BaseModel):
    """What a column of a panel holds."""

    name: str
    type: str = Field(description="integer, number or text.")
    missing: int = Field(description="Rows without a value.")
    distinct: int = Field(description="Different values; beyond 1,000 an estimate.")
    least: str | float | None = Field(description="Smallest value, of text by its order.")
    most: str | float | None = Field(description="Largest value, of text by its order.")
    mean: float | None = Field(description="Of numbers.")
    usual: str | float | None = Field(description="The most frequent value of text and whole numbers.")


class MonthSummaryOut(BaseModel):
    """A month of a panel."""

    month: int = Field(description="YYYYMM.")
    rows: int = Field(description="Customers that are told of it.")
    dead: int = Field(description="Of these, those with I_Alive 0.")


class PanelSummaryOut(BaseModel):
    """What a panel holds."""

    columns: list[ColumnSummaryOut]
    months: list[MonthSummaryOut]

    @classmethod
    def of(cls, found: PanelSummary) -> "PanelSummaryOut":
        """It as the API shows it."""
        return cls(
            columns=[ColumnSummaryOut.model_validate(vars(one)) for one in found.columns],
            months=[MonthSummaryOut.model_validate(vars(one)) for one in found.months],
        )
