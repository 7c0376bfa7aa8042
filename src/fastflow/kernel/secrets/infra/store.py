"""Secrets and their versions in the database."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Connection, RowMapping, Table, and_, delete, insert, or_, select, update

from fastflow.kernel.audit import record
from fastflow.kernel.db.engine import Database
from fastflow.kernel.secrets.domain.errors import SecretExists, UnknownSecret
from fastflow.kernel.secrets.domain.records import Ciphertext, Secret, SecretChange, SecretVersion
from fastflow.kernel.secrets.infra.tables import RetiredSecretRow, SecretRow, SecretVersionRow
from fastflow.kit.identity import Actor

_SECRET = cast("Table", SecretRow.__table__)  # type: ignore[attr-defined]  # SQLModel adds it at class creation
_VERSION = cast("Table", SecretVersionRow.__table__)  # type: ignore[attr-defined]  # as above
_RETIRED = cast("Table", RetiredSecretRow.__table__)  # type: ignore[attr-defined]  # as above


class SqlSecretStore:
    """Secrets; see `SecretStore`. Changes of one key come one after the other (`_lock`)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, secret: Secret, ciphertext: str, *, actor: Actor) -> Secret:
        """See `SecretStore.add`."""
        with self._database.write() as connection:
            self._lock(connection, secret.key)
            if connection.execute(select(_SECRET.c.key).where(_SECRET.c.key == secret.key)).first():
                raise SecretExists(f"There is a secret {secret.key} already.", fields={"key": "is taken"})
            last = connection.execute(select(_RETIRED.c.version).where(_RETIRED.c.key == secret.key)).scalar() or 0
            secret = replace(secret, version=last + 1)
            row = {
                "key": secret.key,
                "is_parameter": secret.is_parameter,
                "pipelines": _json(secret.pipelines),
                "version": secret.version,
                "created_at": secret.created_at,
                "updated_at": secret.updated_at,
            }
            connection.execute(insert(_SECRET), row)
            _insert_version(connection, secret, ciphertext, actor)
            detail = {
                "version": secret.version,
                "is_parameter": secret.is_parameter,
                "pipelines": _json(secret.pipelines),
            }
            record(
                connection,
                at=secret.created_at,
                actor=actor,
                action="secret.create",
                subject=secret.key,
                detail=detail,
            )
        return secret

    def change(self, key: str, change: SecretChange, ciphertext: str | None, *, actor: Actor, at: datetime) -> Secret:
        """See `SecretStore.change`."""
        detail: dict[str, Any] = {}
        with self._database.write() as connection:
            self._lock(connection, key)
            secret = replace(_get(connection, key), updated_at=at)
            if change.sets_pipelines:
                secret = replace(secret, pipelines=change.pipelines)
                detail["pipelines"] = _json(secret.pipelines)
            if ciphertext is not None:
                secret = replace(secret, version=secret.version + 1)
                detail["version"] = secret.version
                _insert_version(connection, secret, ciphertext, actor)
            values = {"version": secret.version, "pipelines": _json(secret.pipelines), "updated_at": at}
            connection.execute(update(_SECRET).where(_SECRET.c.key == key).values(values))
            record(connection, at=at, actor=actor, action="secret.set", subject=key, detail=detail)
        return secret

    def delete(self, key: str, *, actor: Actor, at: datetime) -> None:
        """See `SecretStore.delete`."""
        with self._database.write() as connection:
            self._lock(connection, key)
            secret = _get(connection, key)
            connection.execute(delete(_VERSION).where(_VERSION.c.key == key))
            connection.execute(delete(_SECRET).where(_SECRET.c.key == key))
            connection.execute(delete(_RETIRED).where(_RETIRED.c.key == key))
            connection.execute(insert(_RETIRED), {"key": key, "version": secret.version})
            record(connection, at=at, actor=actor, action="secret.delete", subject=key)

    def find(self, keys: Collection[str]) -> Mapping[str, Secret]:
        """See `SecretStore.find`."""
        if not keys:
            return {}
        with self._database.read() as connection:
            rows = connection.execute(select(_SECRET).where(_SECRET.c.key.in_(sorted(keys)))).mappings()
            return {row["key"]: _secret(row) for row in rows}

    def load(self, *, after_key: str, limit: int) -> Sequence[Secret]:
        """See `SecretStore.load`."""
        query = select(_SECRET).where(_SECRET.c.key > after_key).order_by(_SECRET.c.key).limit(limit)
        with self._database.read() as connection:
            return [_secret(row) for row in connection.execute(query).mappings()]

    def load_versions(self, key: str) -> Sequence[SecretVersion]:
        """See `SecretStore.load_versions`."""
        query = select(_VERSION.c.version, _VERSION.c.created_at, _VERSION.c.created_by)
        query = query.where(_VERSION.c.key == key).order_by(_VERSION.c.version.desc())
        with self._database.read() as connection:
            return [
                SecretVersion(version=row.version, created_at=row.created_at, created_by=row.created_by)
                for row in connection.execute(query)
            ]

    def load_ciphertexts(self, versions: Mapping[str, int]) -> Mapping[str, str]:
        """See `SecretStore.load_ciphertexts`."""
        if not versions:
            return {}
        wanted = [and_(_VERSION.c.key == key, _VERSION.c.version == version) for key, version in versions.items()]
        with self._database.read() as connection:
            rows = connection.execute(select(_VERSION.c.key, _VERSION.c.ciphertext).where(or_(*wanted)))
            return {row.key: row.ciphertext for row in rows}

    def load_batch(self, after: tuple[str, int], limit: int) -> Sequence[Ciphertext]:
        """See `SecretStore.load_batch`."""
        key, version = after
        later = or_(_VERSION.c.key > key, and_(_VERSION.c.key == key, _VERSION.c.version > version))
        query = select(_VERSION).where(later).order_by(_VERSION.c.key, _VERSION.c.version).limit(limit)
        with self._database.read() as connection:
            return [
                Ciphertext(key=row.key, version=row.version, text=row.ciphertext) for row in connection.execute(query)
            ]

    def replace(self, changed: Sequence[tuple[Ciphertext, str]]) -> int:
        """See `SecretStore.replace`."""
        done = 0
        with self._database.write() as connection:
            for old, text in changed:
                same = and_(
                    _VERSION.c.key == old.key, _VERSION.c.version == old.version, _VERSION.c.ciphertext == old.text
                )
                done += connection.execute(update(_VERSION).where(same).values(ciphertext=text)).rowcount
        return done

    def note_rotation(self, *, checked: int, encrypted_anew: int, actor: Actor, at: datetime) -> None:
        """See `SecretStore.note_rotation`."""
        detail = {"checked": checked, "encrypted_anew": encrypted_anew}
        with self._database.write() as connection:
            record(connection, at=at, actor=actor, action="secret.rotate", subject="*", detail=detail)

    def _lock(self, connection: Connection, key: str) -> None:
        self._database.lock(connection, f"secret:{key}")


def _get(connection: Connection, key: str) -> Secret:
    row = connection.execute(select(_SECRET).where(_SECRET.c.key == key)).mappings().first()
    if row is None:
        raise UnknownSecret(f"There is no secret {key[:80]}.")
    return _secret(row)


def _insert_version(connection: Connection, secret: Secret, ciphertext: str, actor: Actor) -> None:
    row = {
        "key": secret.key,
        "version": secret.version,
        "ciphertext": ciphertext,
        "created_at": secret.updated_at,
        "created_by": actor.name[:200],
    }
    connection.execute(insert(_VERSION), row)


def _json(pipelines: tuple[str, ...] | None) -> list[str] | None:
    return None if pipelines is None else list(pipelines)


def _secret(row: RowMapping) -> Secret:
    return Secret(
        key=row["key"],
        is_parameter=bool(row["is_parameter"]),
        pipelines=None if row["pipelines"] is None else tuple(row["pipelines"]),
        version=row["version"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
