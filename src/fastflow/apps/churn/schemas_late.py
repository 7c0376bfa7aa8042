"""Rows that arrived late on the wire."""

from typing import Any

from pydantic import BaseModel, Field

from fastflow.apps.churn.schemas_files import FileOut
from fastflow.apps.churn.service.late import Late


class LateCountOut(BaseModel):
    """How many rows of a month a file brought late."""

    file_id: int
    month: int = Field(description="YYYYMM.")
    new: int = Field(description="Of customers and months that the experiment's files do not tell of.")
    corrected: int = Field(description="With other values than the experiment's files have.")


class LateCellOut(BaseModel):
    """A value that is another one now."""

    column: str
    before: Any = Field(description="In the experiment's files; null: empty, or no such row.")
    after: Any = Field(description="In the later file.")


class LateRowOut(BaseModel):
    """A row that arrived late."""

    change: str = Field(description="new or corrected.")
    customer: str
    month: int = Field(description="YYYYMM.")
    file_id: int = Field(description="The file that brought it.")
    source_line: int = Field(description="Its line there.")
    cells: list[LateCellOut] = Field(description="Columns whose values differ.")


class LateOut(BaseModel):
    """What arrived after an experiment's data."""

    as_of: str = Field(description="Files taken in after it are late; '' for an experiment without files.")
    files: list[FileOut] = Field(description="Taken in since, oldest first.")
    new: int = Field(description="Rows in all.")
    corrected: int = Field(description="Rows in all.")
    counts: list[LateCountOut] = Field(description="By file and month.")
    rows: list[LateRowOut] = Field(description="The first of them, by file and line.")

    @classmethod
    def of(cls, found: Late) -> "LateOut":
        """It as the API shows it."""
        rows = [{**vars(row), "cells": [vars(cell) for cell in row.cells]} for row in found.rows]
        return cls(
            as_of=found.as_of,
            files=[FileOut.of(file) for file in found.files],
            new=sum(one.new for one in found.counts),
            corrected=sum(one.corrected for one in found.counts),
            counts=[LateCountOut.model_validate(vars(one)) for one in found.counts],
            rows=[LateRowOut.model_validate(row) for row in rows],
        )
