"""Channels in the database."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from fastflow.kernel.audit import record
from fastflow.kernel.db.engine import Database
from fastflow.kernel.notifications.domain.channel import Channel
from fastflow.kernel.notifications.domain.errors import ChannelExists, ChannelNotFound
from fastflow.kernel.notifications.infra.outbox_store import WAITING
from fastflow.kernel.notifications.infra.rows import CHANNEL, NOTIFICATION, channel_of, values_of_channel
from fastflow.kit.identity import Actor

_OWN = ("description", "breaks_quiet", "group_window", "is_enabled")


class SqlChannelStore:
    """See `ports.ChannelStore`; also a holder of ciphertexts for the rotation of keys."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, channel: Channel, ciphertext: str, *, actor: Actor) -> None:
        """See `ChannelStore.add`."""
        try:
            with self._database.write() as connection:
                connection.execute(insert(CHANNEL), {**values_of_channel(channel), "ciphertext": ciphertext})
                record(
                    connection,
                    at=channel.created_at,
                    actor=actor,
                    action="channel.create",
                    subject=channel.name,
                    detail=_detail(channel),
                )
        except IntegrityError as error:
            raise ChannelExists(f"There is a channel {channel.name} already.", fields={"name": "is taken"}) from error

    def change(self, channel: Channel, ciphertext: str | None, *, actor: Actor) -> None:
        """See `ChannelStore.change`."""
        values = values_of_channel(channel)
        kept = ("name", "created_at", "created_by", "last_sent_at", "last_failed_at", "failures", "last_error")
        changed: dict[str, Any] = {name: value for name, value in values.items() if name not in kept}
        if ciphertext is not None:
            changed |= {"ciphertext": ciphertext, "failures": 0, "last_error": None}
        with self._database.write() as connection:
            done = connection.execute(update(CHANNEL).where(CHANNEL.c.name == channel.name).values(**changed))
            if not done.rowcount:
                raise ChannelNotFound(channel.name)
            _look_again(connection, channel)
            detail = {**_detail(channel), "urls": ciphertext is not None}
            record(
                connection,
                at=channel.updated_at,
                actor=actor,
                action="channel.change",
                subject=channel.name,
                detail=detail,
            )

    def delete(self, name: str, *, actor: Actor, at: datetime) -> bool:
        """See `ChannelStore.delete`."""
        with self._database.write() as connection:
            if not connection.execute(delete(CHANNEL).where(CHANNEL.c.name == name)).rowcount:
                return False
            record(connection, at=at, actor=actor, action="channel.delete", subject=name)
        return True

    def find(self, names: Collection[str]) -> Mapping[str, Channel]:
        """See `ChannelStore.find`."""
        if not names:
            return {}
        with self._database.read() as connection:
            rows = connection.execute(select(CHANNEL).where(CHANNEL.c.name.in_(sorted(names)))).mappings()
            return {row["name"]: channel_of(row) for row in rows}

    def load_page(self, *, after_name: str, limit: int) -> Sequence[Channel]:
        """See `ChannelStore.load_page`."""
        query = select(CHANNEL).where(CHANNEL.c.name > after_name).order_by(CHANNEL.c.name).limit(limit)
        with self._database.read() as connection:
            return [channel_of(row) for row in connection.execute(query).mappings()]

    def load_ciphertext(self, name: str) -> str | None:
        """See `ChannelStore.load_ciphertext`."""
        with self._database.read() as connection:
            found: str | None = connection.execute(select(CHANNEL.c.ciphertext).where(CHANNEL.c.name == name)).scalar()
            return found

    def note_test(self, name: str, problem: str | None, *, actor: Actor, at: datetime) -> None:
        """See `ChannelStore.note_test`."""
        values: dict[str, Any] = {"last_error": problem}
        values |= {"last_sent_at": at, "failures": 0} if problem is None else {"last_failed_at": at}
        with self._database.write() as connection:
            connection.execute(update(CHANNEL).where(CHANNEL.c.name == name).values(**values))
            detail = {"delivered": problem is None}
            record(connection, at=at, actor=actor, action="channel.test", subject=name, detail=detail)

    # -- a holder of ciphertexts; see `secrets.ports.CiphertextHolder` ------------------------------------------------------

    def load_ciphertexts(self) -> Mapping[str, str]:
        """See `CiphertextHolder.load_ciphertexts`."""
        with self._database.read() as connection:
            rows = connection.execute(select(CHANNEL.c.name, CHANNEL.c.ciphertext))
            return {f"channel {row.name}": row.ciphertext for row in rows}

    def replace_ciphertext(self, label: str, old: str, new: str) -> bool:
        """See `CiphertextHolder.replace_ciphertext`."""
        same = (CHANNEL.c.name == label.removeprefix("channel "), CHANNEL.c.ciphertext == old)
        with self._database.write() as connection:
            return connection.execute(update(CHANNEL).where(*same).values(ciphertext=new)).rowcount > 0


def _look_again(connection: Connection, channel: Channel) -> None:
    """What the channel held back by its old hours or window is decided on anew; what failed keeps its pause."""
    values = {"not_before": channel.updated_at, "why": f"to be decided on anew: the channel {channel.name} was changed"}
    waits = (WAITING, NOTIFICATION.c.attempts == 0, NOTIFICATION.c.not_before > channel.updated_at)
    connection.execute(update(NOTIFICATION).where(NOTIFICATION.c.channel == channel.name, *waits).values(**values))


def _detail(channel: Channel) -> dict[str, Any]:
    return {"kinds": list(channel.kinds), **{name: getattr(channel, name) for name in _OWN}}
