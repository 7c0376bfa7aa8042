"""Webhooks: a Git host says that something was pushed. What it says is believed only so far as to look for ourselves."""

import hashlib
import logging
from dataclasses import dataclass
from datetime import timedelta

from fastflow.kernel.sync.domain.errors import WebhookRefused, WebhookRepeated
from fastflow.kernel.sync.domain.repository import Repository
from fastflow.kernel.sync.domain.sync import Sync
from fastflow.kernel.sync.domain.webhook import UnreadableDelivery, is_signed, read_push
from fastflow.kernel.sync.ports import CredentialSource, RepositoryStore
from fastflow.kernel.sync.service.syncs import SyncService
from fastflow.kit.clock import Clock
from fastflow.kit.errors import Forbidden, InvalidInput, NotFound
from fastflow.kit.secret_text import SecretText

logger = logging.getLogger(__name__)

KEPT = timedelta(days=90)
"""So long a delivery is known again. One that is repeated later makes us look at the host once more, and find nothing new."""


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What came of a delivery.

    Attributes:
        sync: that was asked for; None: it concerns nothing that is followed.
        why: in words.
    """

    sync: Sync | None
    why: str


class WebhookService:
    """Takes deliveries."""

    def __init__(
        self, repositories: RepositoryStore, credentials: CredentialSource, syncs: SyncService, clock: Clock
    ) -> None:
        self._repositories = repositories
        self._credentials = credentials
        self._syncs = syncs
        self._clock = clock

    def take(
        self, name: str, *, event: str | None, signature: str | None, body: bytes, address: str | None = None
    ) -> Taken:
        """Check a delivery and ask for a sync when the followed branch was pushed.

        Raises:
            WebhookRefused: no such repository, no secret agreed on, or the signature is wrong; which of them is not told.
            WebhookRepeated: the very same was taken before.
            InvalidInput: it is signed, but cannot be read.
        """
        repository = self._repositories.find(name)
        secret = None if repository is None else self._secret(repository)
        if repository is None or secret is None or not is_signed(body, signature, secret.reveal()):
            raise WebhookRefused(
                "The delivery's signature does not fit.", fields={"X-Hub-Signature-256": "does not fit"}
            )
        try:
            push = read_push(event, body, repository.branch)
        except UnreadableDelivery as error:
            raise InvalidInput(
                f"The delivery cannot be read: {error}.",
                code="webhook_unreadable",
                hint="Choose the content type application/json and the event push at the repository's host.",
                fields={"body": str(error)},
            ) from error
        if not push.concerns_us:
            return Taken(sync=None, why=push.why)
        now = self._clock.now()
        digest = hashlib.sha256(body).hexdigest()
        if not self._repositories.take_delivery(name, digest, at=now, forget_before=now - KEPT):
            raise WebhookRepeated("This delivery was taken before.")
        if push.commit is not None and push.commit == repository.held_commit:
            return Taken(
                sync=None, why=f"{push.commit[:12]} was rolled back from; only a person makes it active again."
            )
        return Taken(sync=self._syncs.request_by_webhook(repository, push.pusher, address), why=push.why)

    def _secret(self, repository: Repository) -> SecretText | None:
        try:
            return self._credentials.webhook_secret(repository)
        except (NotFound, Forbidden) as error:  # for us to know: whoever asks has no credentials
            fields = {"repository": repository.name, "error": error.message}
            logger.warning("webhook.no_secret", extra={"fields": fields})
            return None
