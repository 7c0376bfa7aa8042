"""`/churn/files…`, `/files`, `/churn/dictionary` and `/churn/columns`."""

import json
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from fastflow.apps.churn.domain.files import LONGEST_GAP, ChurnRule, RuleError
from fastflow.apps.churn.domain.month import MonthError
from fastflow.apps.churn.router.uploads import FILE_BODY, received
from fastflow.apps.churn.schemas_files import (
    DictionaryOut,
    FileOut,
    FilesOut,
    IngestedOut,
    PanelSummaryOut,
    RowsOut,
    SeenColumnsOut,
)
from fastflow.apps.churn.service.files import Files
from fastflow.kernel.http.access import Operator, Viewer
from fastflow.kernel.http.params import Text
from fastflow.kit.errors import InvalidInput

FileId = Annotated[int, Path(ge=1, le=2**31 - 1, description="The file's number.")]
Column = Annotated[Text | None, Query(description="Of a list of transactions: a column of the file.")]


def add_files(router: APIRouter, files: Files) -> None:
    """The operations: looking needs the role viewer, everything else operator, on the pipeline `churn`."""

    @router.get("/files")
    def list_files_of_experiments(actor: Viewer) -> FilesOut:
        """All files, with rows, first and last month; the same as `/churn/files`."""
        return FilesOut.of(files.list(actor=actor))

    @router.get("/churn/files")
    def list_churn_files(actor: Viewer) -> FilesOut:
        """All files, oldest first."""
        return FilesOut.of(files.list(actor=actor))

    @router.post("/churn/files", openapi_extra=FILE_BODY, status_code=201)
    async def ingest_churn_file(
        actor: Operator,
        request: Request,
        response: Response,
        name: Annotated[Text, Query(description="What people call it.")] = "unnamed",
        kind: Annotated[Literal["panel", "transactions"], Query(description="What the body is.")] = "panel",
        dictionary: Annotated[str | None, Query(description="Of a panel, as JSON; none: it is guessed.")] = None,
        gap_months: Annotated[
            int | None, Query(ge=1, le=LONGEST_GAP, description="Months without a transaction after which one is dead.")
        ] = None,
        through: Annotated[int | None, Query(description="Last month that was observed to its end, YYYYMM.")] = None,
        customer: Column = None,
        date: Column = None,
        amount: Column = None,
        quantity: Column = None,
    ) -> IngestedOut:
        """Take in the body, CSV in UTF-8 or Parquet; 200 instead of 201: the same content was there already."""
        files.require_ingest(actor=actor)  # before a byte of the body is read
        named = {"customer": customer, "date": date, "amount": amount, "quantity": quantity}
        given = {key: value for key, value in named.items() if value is not None}
        rule = _rule(kind, gap_months, through, given, dictionary)
        meant = None if dictionary is None else _dictionary(dictionary)
        async with received(request, files.uploads) as path:
            done = await run_in_threadpool(files.ingest, path, name=name, dictionary=meant, rule=rule, actor=actor)
        response.status_code = 201 if done.is_new else 200
        response.headers["Location"] = f"/churn/files/{done.file.file_id}"
        return IngestedOut.of(done)

    @router.post("/churn/dictionary", openapi_extra=FILE_BODY)
    async def propose_churn_dictionary(actor: Operator, request: Request) -> DictionaryOut:
        """A data dictionary for the body, guessed by names, types and what changes; nothing is kept."""
        files.require_ingest(actor=actor)
        async with received(request, files.uploads) as path:
            return DictionaryOut.of(await run_in_threadpool(files.propose_dictionary, path, actor=actor))

    @router.post("/churn/columns", openapi_extra=FILE_BODY)
    async def look_at_churn_columns(actor: Operator, request: Request) -> SeenColumnsOut:
        """The columns of the body, each with its probable role, also where no dictionary can be guessed; nothing is kept."""
        files.require_ingest(actor=actor)
        async with received(request, files.uploads) as path:
            return SeenColumnsOut.of(await run_in_threadpool(files.look, path, actor=actor))

    @router.get("/churn/files/{file_id}")
    def get_churn_file(actor: Viewer, file_id: FileId) -> FileOut:
        """One file."""
        return FileOut.of(files.find(file_id, actor=actor))

    @router.get("/churn/files/{file_id}/rows")
    def get_churn_file_rows(
        actor: Viewer,
        file_id: FileId,
        limit: Annotated[int, Query(ge=1, le=1000, description="How many at most.")] = 50,
        offset: Annotated[int, Query(ge=0, le=2**40, description="How many to leave out first.")] = 0,
    ) -> RowsOut:
        """Rows of its panel, in its order."""
        return RowsOut.of(files.preview(file_id, limit=limit, offset=offset, actor=actor))

    @router.get("/churn/files/{file_id}/summary")
    def summarise_churn_file(actor: Viewer, file_id: FileId) -> PanelSummaryOut:
        """What the columns of its panel hold, and how many customers its months tell of."""
        return PanelSummaryOut.of(files.summarise(file_id, actor=actor))

    @router.delete("/churn/files/{file_id}", status_code=204)
    def delete_churn_file(actor: Operator, file_id: FileId) -> None:
        """Remove the file and its rows; refused while an experiment is computed on it."""
        files.delete(file_id, actor=actor)


def _rule(
    kind: str, gap_months: int | None, through: int | None, named: dict[str, str], dictionary: str | None
) -> ChurnRule | None:
    if kind == "panel":
        strange = [key for key, value in (("gap_months", gap_months), ("through", through)) if value is not None]
        if strange or named:
            field = (strange or list(named))[0]
            raise _refused(field, "is of a list of transactions; give kind=transactions, or leave it out")
        return None
    if dictionary is not None:
        raise _refused("dictionary", "is of a panel; a list of transactions gets its own")
    if gap_months is None:
        raise _refused("gap_months", "is needed: the churn rule of a list of transactions")
    try:
        return ChurnRule(gap_months=gap_months, through=through, **named)
    except RuleError as error:
        raise _refused(error.field, error.problem) from error
    except MonthError as error:
        raise _refused("through", str(error)) from error


def _dictionary(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _refused("dictionary", f"is no JSON: {str(error)[:200]}") from error


def _refused(field: str, problem: str) -> InvalidInput:
    return InvalidInput(f"{field}: {problem}", fields={field: problem})
