"""Lists of contacts: `/experiments/{id}/ledger…`."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.responses import StreamingResponse

from fastflow.apps.churn.router.experiments import ExperimentId
from fastflow.apps.churn.router.sql import send_rows
from fastflow.apps.churn.service.ledgers import Ledgers
from fastflow.apps.churn.service.sql import Sql
from fastflow.kernel.http.access import Viewer


class LedgerOut(BaseModel):
    """A list of contacts, and how it did."""

    experiment_id: int
    decision: dict[str, Any] | None = Field(
        description="How many contacts, their cost, the expected profit with its interval; null: cf has not run."
    )
    contacts: list[dict[str, Any]] = Field(description="The best first: rows of `cf_decision_ledger`.")
    scores: list[dict[str, Any]] = Field(
        description="What became of them and of those beside the list, month by month: rows of `decision_ledger_scores`."
    )


def add_ledgers(router: APIRouter, ledgers: Ledgers, sql: Sql) -> None:
    """The operations; they need the role viewer on the pipeline `churn`."""

    @router.get("/experiments/{experiment_id}/ledger")
    def get_ledger(
        actor: Viewer,
        experiment_id: ExperimentId,
        limit: Annotated[int, Query(ge=1, le=10_000, description="Contacts at most.")] = 100,
    ) -> LedgerOut:
        """Whom to contact, and how that did as far as months are known: a month that is taken in later is there at once."""
        return LedgerOut(**vars(ledgers.find(experiment_id, limit=limit, actor=actor)))

    @router.get(
        "/experiments/{experiment_id}/ledger/contacts.csv",
        response_class=StreamingResponse,
        responses={200: {"description": "The list.", "content": {"text/csv": {"schema": {}}}}},
    )
    def download_contacts(actor: Viewer, experiment_id: ExperimentId) -> StreamingResponse:
        """The whole list as CSV."""
        query = ledgers.contacts_query(experiment_id, actor=actor)
        return send_rows(sql, query, "csv", f"contacts-{experiment_id}", actor)
