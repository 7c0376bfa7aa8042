"""Webhooks as people make them, and calls as they come in."""

import base64
import logging
import secrets
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from fastflow.kernel.runs.domain.tracing import read_trace
from fastflow.kernel.webhooks.domain.errors import InvalidWebhook, TooManyCalls, Unanswered, WebhookNotFound
from fastflow.kernel.webhooks.domain.mapping import make_params
from fastflow.kernel.webhooks.domain.signatures import Call, verify
from fastflow.kernel.webhooks.domain.webhook import (
    KEY_PREFIX,
    SHORTEST_SECRET,
    Webhook,
    WebhookDefinition,
    check,
    hash_of,
    is_allowed,
)
from fastflow.kernel.webhooks.ports import Cipher, Pipelines, Runs, WebhookFilter, WebhookStore
from fastflow.kit.clock import Clock
from fastflow.kit.errors import FastFlowError, InvalidInput, Unavailable, named
from fastflow.kit.identity import Actor, Role
from fastflow.kit.ids import new_id, parse_id
from fastflow.kit.pages import DEFAULT_PAGE_SIZE, Page, decode_cursor, encode_cursor
from fastflow.kit.secret_text import SecretText

logger = logging.getLogger(__name__)

_KEY_BYTES = 24
_SECRET_BYTES = 32
_MINUTE = timedelta(minutes=1)
_MAX_GRACE = 30 * 86_400.0


@dataclass(frozen=True, kw_only=True)
class Made:
    """A webhook with what is shown once.

    Attributes:
        key: the last part of its address.
        secret: what calls are signed with; None: they are not, or it was given.
    """

    webhook: Webhook
    key: str
    secret: str | None


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """A call that was taken.

    Attributes:
        is_duplicate: the same delivery had come before: the run is the one it started then.
    """

    run_id: str
    is_duplicate: bool


class WebhookService:
    """Making webhooks needs the role operator and the pipeline in scope; calling one needs its key alone."""

    def __init__(self, *, store: WebhookStore, pipelines: Pipelines, runs: Runs, cipher: Cipher, clock: Clock) -> None:
        self._store = store
        self._pipelines = pipelines
        self._runs = runs
        self._cipher = cipher
        self._clock = clock
        self._limits = RateLimits()

    # -- make and change ------------------------------------------------------------------------------------------------

    def create(self, definition: WebhookDefinition, secret: SecretText | None, *, actor: Actor) -> Made:
        """A new webhook. Its key, and its secret when none is given, are made and shown this once.

        Raises:
            NotFound: no such pipeline; names near ones.
            InvalidWebhook: names every field that is wrong.
            Forbidden: role, or outside the actor's scope.
        """
        actor.require_pipeline(definition.pipeline_name, Role.OPERATOR)
        self._check(definition)
        signing, shown = _secret_for(definition, secret)
        key, now, by = _new_key(), self._clock.now(), actor.name[:200]
        values: dict[str, Any] = {**vars(definition), "name": definition.name or ""}
        webhook = Webhook(
            **values, id=new_id(), key_hint=key[-4:], created_at=now, created_by=by, updated_at=now, updated_by=by
        )
        added = self._store.add(webhook, hash_of(key), self._encrypt(signing), actor=actor)
        return Made(webhook=added, key=key, secret=shown)

    def change(self, webhook_id: str, changes: Mapping[str, Any], *, actor: Actor) -> Webhook:
        """Change what is given; the key, the scheme and the secret stay.

        Args:
            webhook_id: of a webhook.
            changes: field of `Webhook` -> its new value.
            actor: needs the role operator.

        Raises:
            WebhookNotFound: there is none.
            InvalidWebhook: names every field that is wrong.
        """
        before = self._find(webhook_id, actor, Role.OPERATOR)
        after = replace(before, **changes, updated_at=self._clock.now(), updated_by=actor.name[:200])
        self._check(after)
        if not self._store.change(after, actor=actor):
            raise WebhookNotFound
        return after

    def rotate(self, webhook_id: str, *, actor: Actor, with_secret: bool = False, grace_seconds: float = 0.0) -> Made:
        """Give it another key; the former one is taken for so long.

        Args:
            webhook_id: of a webhook.
            actor: needs the role operator.
            with_secret: another signing secret as well, which holds at once.
            grace_seconds: 0: the former key is refused from now on.

        Raises:
            WebhookNotFound: there is none.
            InvalidWebhook: the time is none.
        """
        before = self._find(webhook_id, actor, Role.OPERATOR)
        if not 0 <= grace_seconds <= _MAX_GRACE:
            raise InvalidWebhook({"grace_seconds": f"{grace_seconds:g} is not from 0 to {_MAX_GRACE:g}"})
        shown: str | None = None
        ciphertext: str | None = None
        if with_secret and before.scheme != "none":
            shown = _new_secret()
            ciphertext = self._encrypt(SecretText(shown))
        key, now = _new_key(), self._clock.now()
        until = now + timedelta(seconds=grace_seconds) if grace_seconds else None
        after = replace(before, key_hint=key[-4:], former_key_until=until, updated_at=now, updated_by=actor.name[:200])
        if not self._store.rotate(after, hash_of(key), ciphertext, former_until=until, actor=actor):
            raise WebhookNotFound
        return Made(webhook=after, key=key, secret=shown)

    def delete(self, webhook_id: str, *, actor: Actor) -> None:
        """Remove it; its runs stay.

        Raises:
            WebhookNotFound: there is none.
        """
        webhook = self._find(webhook_id, actor, Role.OPERATOR)
        if not self._store.delete(webhook, actor=actor, at=self._clock.now()):
            raise WebhookNotFound

    def get(self, webhook_id: str, *, actor: Actor) -> Webhook:
        """The webhook.

        Raises:
            InvalidInput: not an id.
            WebhookNotFound: there is none.
            Forbidden: outside the actor's scope.
        """
        return self._find(webhook_id, actor)

    def list(
        self, pipeline_name: str | None, *, actor: Actor, cursor: str | None = None, limit: int = DEFAULT_PAGE_SIZE
    ) -> Page[Webhook]:
        """One page of webhooks, oldest first; those outside the actor's scope are left out.

        Raises:
            InvalidInput: the cursor was not given out by this list.
            Forbidden: the pipeline is outside the actor's scope.
        """
        if pipeline_name is not None:
            actor.require_pipeline(pipeline_name)
        after = parse_id(str(decode_cursor(cursor, (str,))[0]), "cursor") if cursor else ""
        wanted = WebhookFilter(pipeline_name=pipeline_name, pipelines=actor.reach())
        found = self._store.load_page(wanted, after_id=after, limit=limit + 1)
        next_cursor = encode_cursor(found[limit - 1].id) if len(found) > limit else None
        return Page(items=found[:limit], next_cursor=next_cursor)

    # -- calls ------------------------------------------------------------------------------------------------------------

    def receive(self, pipeline_name: str, key: str, call: Call) -> Accepted:
        """Start a run for a call; the same delivery again gives the same run.

        Raises:
            WebhookNotFound: pipeline or key is unknown, or the webhook is off, or the caller's address is not one of its.
            TooManyCalls: over its rate.
            SignatureRefused, CallTooOld: the signature.
            MappingFailed: the body holds not what parameters are made of.
            InvalidParams: names the parameters that do not fit the pipeline's schema.
        """
        now = self._clock.now()
        found = self._store.find_by_key(pipeline_name, hash_of(key), now) if key.startswith(KEY_PREFIX) else None
        if found is None:
            raise WebhookNotFound("key")
        webhook, ciphertext = found
        try:
            accepted = self._take(webhook, ciphertext, call, now)
        except FastFlowError as error:
            if not isinstance(error, Unavailable):
                why = error.why if isinstance(error, Unanswered) else error.message
                self._store.note_call(webhook.id, why[:500], now)
            fields = {"webhook": f"{webhook.pipeline_name}/{webhook.name}", "code": error.code}
            logger.warning("webhook.refused", extra={"fields": fields})
            raise
        self._store.note_call(webhook.id, None, now)
        return accepted

    def _take(self, webhook: Webhook, ciphertext: str | None, call: Call, now: datetime) -> Accepted:
        if not webhook.is_enabled or not is_allowed(webhook, call.address):
            raise Unanswered("it is switched off" if not webhook.is_enabled else "the caller's address is not allowed")
        self._limits.count(webhook.id, webhook.rate_per_minute, now)
        secret = None if ciphertext is None else self._decrypt(ciphertext)
        delivery = verify(webhook.scheme, secret, call, now, webhook.tolerance)
        run = self._runs.submit(
            webhook.pipeline_name,
            make_params(webhook, call),
            actor=Actor(
                name=f"webhook:{webhook.name}"[:200],
                role=Role.OPERATOR,
                pipelines=(webhook.pipeline_name,),
                address=call.address,
            ),
            trigger="webhook",
            idempotency_key=None if delivery is None else f"webhook:{webhook.id}:{delivery}"[:200],
            trace=read_trace(call.headers.get("traceparent")),
        )
        return Accepted(run_id=run.id, is_duplicate=run.queued_at < now)

    # -- inside -----------------------------------------------------------------------------------------------------------

    def _check(self, definition: WebhookDefinition) -> None:
        with named("pipeline_name"):
            pipeline = self._pipelines.get(definition.pipeline_name)
        check(definition, pipeline.params_schema)

    def _find(self, webhook_id: str, actor: Actor, role: Role = Role.VIEWER) -> Webhook:
        actor.require_somewhere(role)
        webhook = self._store.find(parse_id(webhook_id, "webhook_id"))
        if webhook is None:
            raise WebhookNotFound
        actor.require_pipeline(webhook.pipeline_name, role)
        return webhook

    def _encrypt(self, secret: SecretText | None) -> str | None:
        return None if secret is None else self._cipher.encrypt(secret)

    def _decrypt(self, ciphertext: str) -> str:
        secret = self._cipher.decrypt(ciphertext)
        if secret is None:
            raise Unavailable(
                "The webhook's secret cannot be decrypted.",
                code="webhook_unreadable",
                hint="Give ENCRYPTION_KEY the key it was encrypted with, or rotate the webhook with its secret.",
            )
        return secret.reveal()


class RateLimits:
    """Calls of the last minute by webhook, in this process."""

    def __init__(self) -> None:
        self._calls: dict[str, deque[datetime]] = {}
        self._lock = threading.Lock()

    def count(self, webhook_id: str, limit: int, now: datetime) -> None:
        """Note a call.

        Raises:
            TooManyCalls: there were as many as it takes already; says when there is room.
        """
        with self._lock:
            calls = self._calls.setdefault(webhook_id, deque())
            while calls and not now - _MINUTE < calls[0] <= now:
                calls.popleft()
            if len(calls) >= limit:
                wait = (calls[0] + _MINUTE - now).total_seconds()
                raise TooManyCalls(f"This webhook takes {limit} calls a minute.", retry_after_seconds=max(1.0, wait))
            calls.append(now)


def _secret_for(definition: WebhookDefinition, given: SecretText | None) -> tuple[SecretText | None, str | None]:
    """The signing secret, and what of it is to be shown."""
    if definition.scheme == "none":
        if given is not None:
            raise InvalidInput(
                "A webhook whose calls are not signed has no secret.",
                code="invalid_webhook",
                hint="Choose a scheme (github, standard, stripe), or leave the secret away.",
                fields={"secret": "needs a scheme"},
            )
        return None, None
    if given is not None:
        if not SHORTEST_SECRET <= len(given.reveal()) <= 200:
            raise InvalidWebhook({"secret": f"is not of {SHORTEST_SECRET} to 200 characters"})
        return given, None
    made = _new_secret()
    return SecretText(made), made


def _new_key() -> str:
    return KEY_PREFIX + secrets.token_urlsafe(_KEY_BYTES)


def _new_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()
