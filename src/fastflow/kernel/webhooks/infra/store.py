"""Webhooks in the database."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, cast

from sqlalchemy import Connection, RowMapping, Table, and_, bindparam, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from fastflow.kernel.audit import record
from fastflow.kernel.db.engine import Database
from fastflow.kernel.db.scope import in_scope
from fastflow.kernel.webhooks.domain.errors import InvalidWebhook
from fastflow.kernel.webhooks.domain.webhook import Webhook
from fastflow.kernel.webhooks.infra.tables import WebhookRow
from fastflow.kernel.webhooks.ports import WebhookFilter
from fastflow.kit.identity import Actor

HOOK: Final = cast("Table", WebhookRow.__table__)  # type: ignore[attr-defined]  # SQLModel adds it at class creation
_FIELDS: Final = tuple(Webhook.__dataclass_fields__)
_UNCHANGED: Final = ("id", "calls", "refused", "last_call_at", "last_refusal", "key_hint", "former_key_until")
_BY_KEY: Final = select(HOOK).where(
    HOOK.c.pipeline_name == bindparam("pipeline_name"),
    or_(
        HOOK.c.key_hash == bindparam("hash"),
        and_(HOOK.c.former_key_hash == bindparam("hash"), HOOK.c.former_key_until > bindparam("now")),
    ),
)


class SqlWebhookStore:
    """See `ports.WebhookStore`; also a holder of ciphertexts for the rotation of keys."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, webhook: Webhook, key_hash: str, ciphertext: str | None, *, actor: Actor) -> Webhook:
        """See `WebhookStore.add`."""
        try:
            with self._database.write() as connection:
                self._database.lock(connection, "webhooks")
                named = webhook if webhook.name else replace(webhook, name=_free_name(connection, webhook))
                row = {**_values(named), "key_hash": key_hash, "ciphertext": ciphertext}
                connection.execute(insert(HOOK), row)
                self._note(connection, named, "webhook.create", actor, webhook.created_at)
        except IntegrityError as error:
            raise InvalidWebhook({"name": f"{webhook.name!r} is taken by another webhook of the pipeline"}) from error
        return named

    def change(self, webhook: Webhook, *, actor: Actor) -> bool:
        """See `WebhookStore.change`."""
        values = {name: value for name, value in _values(webhook).items() if name not in _UNCHANGED}
        try:
            with self._database.write() as connection:
                if not connection.execute(update(HOOK).where(HOOK.c.id == webhook.id).values(**values)).rowcount:
                    return False
                self._note(connection, webhook, "webhook.change", actor, webhook.updated_at)
        except IntegrityError as error:
            raise InvalidWebhook({"name": f"{webhook.name!r} is taken by another webhook of the pipeline"}) from error
        return True

    def rotate(
        self, webhook: Webhook, key_hash: str, ciphertext: str | None, *, former_until: datetime | None, actor: Actor
    ) -> bool:
        """See `WebhookStore.rotate`."""
        values: dict[str, Any] = {
            "former_key_hash": HOOK.c.key_hash if former_until is not None else None,
            "former_key_until": former_until,
            "key_hash": key_hash,
            "key_hint": webhook.key_hint,
            "updated_at": webhook.updated_at,
            "updated_by": webhook.updated_by,
        }
        if ciphertext is not None:
            values["ciphertext"] = ciphertext
        with self._database.write() as connection:
            if not connection.execute(update(HOOK).where(HOOK.c.id == webhook.id).values(**values)).rowcount:
                return False
            self._note(connection, webhook, "webhook.rotate", actor, webhook.updated_at)
        return True

    def delete(self, webhook: Webhook, *, actor: Actor, at: datetime) -> bool:
        """See `WebhookStore.delete`."""
        with self._database.write() as connection:
            if not connection.execute(delete(HOOK).where(HOOK.c.id == webhook.id)).rowcount:
                return False
            self._note(connection, webhook, "webhook.delete", actor, at)
        return True

    def find(self, webhook_id: str) -> Webhook | None:
        """See `WebhookStore.find`."""
        with self._database.read() as connection:
            row = connection.execute(select(HOOK).where(HOOK.c.id == webhook_id)).mappings().first()
            return None if row is None else _webhook_of(row)

    def find_by_key(self, pipeline_name: str, key_hash: str, now: datetime) -> tuple[Webhook, str | None] | None:
        """See `WebhookStore.find_by_key`."""
        values = {"pipeline_name": pipeline_name, "hash": key_hash, "now": now}
        with self._database.read() as connection:
            row = connection.execute(_BY_KEY, values).mappings().first()
            return None if row is None else (_webhook_of(row), row["ciphertext"])

    def load_page(self, wanted: WebhookFilter, *, after_id: str, limit: int) -> Sequence[Webhook]:
        """See `WebhookStore.load_page`."""
        query = select(HOOK).where(HOOK.c.id > after_id).order_by(HOOK.c.id).limit(limit)
        if wanted.pipeline_name is not None:
            query = query.where(HOOK.c.pipeline_name == wanted.pipeline_name)
        if wanted.pipelines is not None:
            query = query.where(in_scope(HOOK.c.pipeline_name, wanted.pipelines))
        with self._database.read() as connection:
            return [_webhook_of(row) for row in connection.execute(query).mappings()]

    def note_call(self, webhook_id: str, refusal: str | None, at: datetime) -> None:
        """See `WebhookStore.note_call`."""
        values: dict[str, Any] = {"last_call_at": at}
        values |= (
            {"calls": HOOK.c.calls + 1} if refusal is None else {"refused": HOOK.c.refused + 1, "last_refusal": refusal}
        )
        with self._database.write() as connection:
            connection.execute(update(HOOK).where(HOOK.c.id == webhook_id).values(**values))

    # -- a holder of ciphertexts; see `secrets.ports.CiphertextHolder` ------------------------------------------------------

    def load_ciphertexts(self) -> Mapping[str, str]:
        """See `CiphertextHolder.load_ciphertexts`."""
        with self._database.read() as connection:
            rows = connection.execute(select(HOOK.c.id, HOOK.c.ciphertext).where(HOOK.c.ciphertext.is_not(None)))
            return {f"webhook {row.id}": row.ciphertext for row in rows}

    def replace_ciphertext(self, label: str, old: str, new: str) -> bool:
        """See `CiphertextHolder.replace_ciphertext`."""
        same = (HOOK.c.id == label.removeprefix("webhook "), HOOK.c.ciphertext == old)
        with self._database.write() as connection:
            return connection.execute(update(HOOK).where(*same).values(ciphertext=new)).rowcount > 0

    def _note(self, connection: Connection, webhook: Webhook, action: str, actor: Actor, at: datetime) -> None:
        detail = {
            "webhook": f"{webhook.pipeline_name}/{webhook.name}",
            "scheme": webhook.scheme,
            "key": f"…{webhook.key_hint}",
            "enabled": webhook.is_enabled,
        }
        record(connection, at=at, actor=actor, action=action, subject=webhook.id, detail=detail)


def _free_name(connection: Connection, webhook: Webhook) -> str:
    query = select(HOOK.c.name).where(HOOK.c.pipeline_name == webhook.pipeline_name)
    taken = set(connection.execute(query).scalars())
    number = 1
    while f"webhook-{number}" in taken:
        number += 1
    return f"webhook-{number}"


def _values(webhook: Webhook) -> dict[str, Any]:
    values = {name: getattr(webhook, name) for name in _FIELDS}
    return {**values, "mapping": dict(webhook.mapping), "addresses": list(webhook.addresses)}


def _webhook_of(row: RowMapping) -> Webhook:
    values = {name: row[name] for name in _FIELDS}
    return Webhook(**{**values, "addresses": tuple(row["addresses"])})
