"""Files of the churn workbench on the wire."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from fastflow.apps.churn.domain.dictionary import Dictionary
from fastflow.apps.churn.domain.files import IngestedFile
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
