"""What webhooks need of others: their store, the pipelines, and where runs are submitted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from fastflow.kernel.pipelines.domain.pipeline import Pipeline
from fastflow.kernel.runs.domain.run import Run
from fastflow.kernel.webhooks.domain.webhook import Webhook
from fastflow.kit.identity import Actor
from fastflow.kit.secret_text import SecretText


@dataclass(frozen=True, kw_only=True)
class WebhookFilter:
    """Which webhooks a list shows; None means any.

    Attributes:
        pipelines: names and patterns of the only pipelines the asker may see.
    """

    pipeline_name: str | None = None
    pipelines: Sequence[str] | None = None


class WebhookStore(Protocol):
    """Webhooks; each change is one transaction with its audit entry."""

    def add(self, webhook: Webhook, key_hash: str, ciphertext: str | None, *, actor: Actor) -> Webhook:
        """Keep a new webhook. An empty name is replaced by the first free one.

        Raises:
            InvalidWebhook: the pipeline has a webhook of that name.
        """
        ...

    def change(self, webhook: Webhook, *, actor: Actor) -> bool:
        """Give it a new form; whether it was there."""
        ...

    def rotate(
        self, webhook: Webhook, key_hash: str, ciphertext: str | None, *, former_until: datetime | None, actor: Actor
    ) -> bool:
        """Give it another key, and another secret unless None; whether it was there."""
        ...

    def delete(self, webhook: Webhook, *, actor: Actor, at: datetime) -> bool:
        """Remove it; whether it was there."""
        ...

    def find(self, webhook_id: str) -> Webhook | None:
        """The webhook; None when there is none."""
        ...

    def find_by_key(self, pipeline_name: str, key_hash: str, now: datetime) -> tuple[Webhook, str | None] | None:
        """The webhook of the pipeline with this key, or with it as its former one while that is taken; and its secret,
        encrypted."""
        ...

    def load_page(self, wanted: WebhookFilter, *, after_id: str, limit: int) -> Sequence[Webhook]:
        """At most `limit` webhooks in the order of their ids, after the given one."""
        ...

    def note_call(self, webhook_id: str, refusal: str | None, at: datetime) -> None:
        """Count a call; with why it was refused, if it was."""
        ...


class Cipher(Protocol):
    """Encrypts signing secrets, as secrets are."""

    def encrypt(self, value: SecretText) -> str:
        """The ciphertext."""
        ...

    def decrypt(self, ciphertext: str) -> SecretText | None:
        """The value; None when no key fits."""
        ...


class Pipelines(Protocol):
    """What can be run."""

    def get(self, name: str) -> Pipeline:
        """The pipeline, perhaps with faults; raises NotFound with near names."""
        ...


class Runs(Protocol):
    """Submitting runs."""

    def submit(
        self,
        pipeline_name: str,
        params: Mapping[str, Any] | None = None,
        *,
        actor: Actor,
        trigger: str = "api",
        idempotency_key: str | None = None,
        trace: str | None = None,
    ) -> Run:
        """See `RunService.submit`."""
        ...
