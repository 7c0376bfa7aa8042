"""Assembles webhooks."""

from fastflow.kernel.db.engine import Database
from fastflow.kernel.webhooks.infra.store import SqlWebhookStore
from fastflow.kernel.webhooks.ports import Cipher, Pipelines, Runs
from fastflow.kernel.webhooks.service import WebhookService
from fastflow.kit.clock import Clock, SystemClock


def build_webhooks(
    database: Database, *, pipelines: Pipelines, runs: Runs, cipher: Cipher, clock: Clock | None = None
) -> WebhookService:
    """Webhooks on the product's database.

    Args:
        database: migrated.
        pipelines: what can be run.
        runs: where runs are submitted.
        cipher: encrypts signing secrets.
        clock: None: the machine's own.
    """
    return WebhookService(
        store=SqlWebhookStore(database), pipelines=pipelines, runs=runs, cipher=cipher, clock=clock or SystemClock()
    )
