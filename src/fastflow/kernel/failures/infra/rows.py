"""Rows of the failure tables."""

from typing import Final, cast

from sqlalchemy import Table

from fastflow.kernel.failures.infra.tables import DeadLetterRow, FailureGroupRow, FailureSightRow

GROUP: Final = cast("Table", FailureGroupRow.__table__)  # type: ignore[attr-defined]  # SQLModel adds it at class creation
SIGHT: Final = cast("Table", FailureSightRow.__table__)  # type: ignore[attr-defined]
LETTER: Final = cast("Table", DeadLetterRow.__table__)  # type: ignore[attr-defined]
