"""`/webhooks`: making them, and the calls that other systems make to start runs."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from fastflow.kernel.http.access import Operator, Viewer
from fastflow.kernel.http.params import Cursor, Limit, Text
from fastflow.kernel.http.problems import PROBLEM_RESPONSES
from fastflow.kernel.webhooks.domain.signatures import Call
from fastflow.kernel.webhooks.schemas import (
    AcceptedOut,
    MadeOut,
    RotateIn,
    WebhookChangeIn,
    WebhookIn,
    WebhookOut,
    WebhookPage,
)
from fastflow.kernel.webhooks.service import WebhookService
from fastflow.kit.errors import TooLarge
from fastflow.kit.pages import DEFAULT_PAGE_SIZE

MAX_BODY_BYTES = 2**20
WebhookId = Annotated[str, Path(max_length=100, description="The webhook's id.")]
PipelineName = Annotated[str, Path(max_length=200, description="The pipeline's name.")]


def build_router(webhooks: WebhookService) -> APIRouter:
    """The operations: looking needs the role viewer, changing operator; a call needs no account, its key is enough."""
    router = APIRouter(prefix="/webhooks", tags=["webhooks"], responses=PROBLEM_RESPONSES)

    @router.get("")
    def list_webhooks(
        actor: Viewer,
        pipeline_name: Annotated[Text | None, Query(description="Only webhooks of this pipeline.")] = None,
        cursor: Cursor = None,
        limit: Limit = DEFAULT_PAGE_SIZE,
    ) -> WebhookPage:
        """Every webhook you may see, oldest first, without keys and secrets."""
        return WebhookPage.of(webhooks.list(pipeline_name, actor=actor, cursor=cursor, limit=limit))

    @router.post("", status_code=201)
    def create_webhook(actor: Operator, body: WebhookIn, response: Response) -> MadeOut:
        """A new webhook; its key and a secret that was made are shown in this answer alone."""
        made = webhooks.create(body.definition(), body.signing(), actor=actor)
        response.headers["Location"] = f"/webhooks/{made.webhook.id}"
        return MadeOut.of_made(made)

    @router.get("/{webhook_id}")
    def get_webhook(actor: Viewer, webhook_id: WebhookId) -> WebhookOut:
        """One webhook."""
        return WebhookOut.of(webhooks.get(webhook_id, actor=actor))

    @router.patch("/{webhook_id}")
    def change_webhook(actor: Operator, webhook_id: WebhookId, body: WebhookChangeIn) -> WebhookOut:
        """Change what is given; key, scheme and secret stay."""
        return WebhookOut.of(webhooks.change(webhook_id, body.changes(), actor=actor))

    @router.delete("/{webhook_id}", status_code=204)
    def delete_webhook(actor: Operator, webhook_id: WebhookId) -> None:
        """Remove it; its runs stay."""
        webhooks.delete(webhook_id, actor=actor)

    @router.post("/{webhook_id}/rotate")
    def rotate_webhook(actor: Operator, webhook_id: WebhookId, body: RotateIn) -> MadeOut:
        """Give it another key, shown in this answer alone."""
        return MadeOut.of_made(
            webhooks.rotate(webhook_id, actor=actor, with_secret=body.secret, grace_seconds=body.grace_seconds)
        )

    @router.post("/{pipeline_name}/{key}", status_code=202)
    async def call_webhook(
        request: Request,
        pipeline_name: PipelineName,
        key: Annotated[str, Path(max_length=200, description="The webhook's key.")],
    ) -> AcceptedOut:
        """Start a run; for other systems. The same delivery again gives the same run."""
        body = await request.body()
        if len(body) > MAX_BODY_BYTES:
            raise TooLarge(
                f"The body has {len(body)} bytes; a webhook takes {MAX_BODY_BYTES}.",
                fields={"body": f"has {len(body)} bytes; {MAX_BODY_BYTES} are taken"},
            )
        address = request.client.host if request.client else None
        call = Call(
            headers={name.lower(): value for name, value in request.headers.items()}, body=body, address=address
        )
        return AcceptedOut.of(await run_in_threadpool(webhooks.receive, pipeline_name, key, call))

    return router
