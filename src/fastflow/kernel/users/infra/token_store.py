"""Bearer tokens in the database."""

from collections.abc import Sequence
from datetime import datetime
from typing import cast

from sqlalchemy import RowMapping, Table, bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from fastflow.kernel.audit import record
from fastflow.kernel.db.engine import Database
from fastflow.kernel.users.domain.accounts import Token, parse_role
from fastflow.kernel.users.infra.grant_rows import grants_in, grants_out
from fastflow.kernel.users.infra.tables import TokenRow
from fastflow.kit.errors import Conflict, NotFound
from fastflow.kit.identity import Actor

_TOKEN = cast("Table", TokenRow.__table__)  # type: ignore[attr-defined]  # SQLModel adds it at class creation


class SqlTokenStore:
    """Bearer tokens; see `TokenStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._find = select(_TOKEN).where(_TOKEN.c.token_hash == bindparam("wanted"))

    def add(self, token: Token, token_hash: str, *, actor: Actor) -> None:
        """See `TokenStore.add`."""
        row = {
            "id": token.id,
            "name": token.name,
            "role": token.role.word,
            "token_hash": token_hash,
            "pipelines": list(token.pipelines) if token.pipelines is not None else None,
            "created_by": token.created_by,
            "created_at": token.created_at,
            "expires_at": token.expires_at,
            "grants": grants_out(token.grants),
        }
        detail = {name: row[name] for name in ("name", "role", "pipelines", "grants")}
        try:
            with self._database.write() as connection:
                connection.execute(insert(_TOKEN), row)
                record(
                    connection, at=token.created_at, actor=actor, action="token.create", subject=token.id, detail=detail
                )
        except IntegrityError as error:
            raise Conflict(
                f"There is a token {token.name!r} already.",
                code="token_exists",
                hint="Choose another name, or delete that token first.",
                fields={"name": "is taken"},
            ) from error

    def load(self, *, after_name: str, limit: int) -> Sequence[Token]:
        """See `TokenStore.load`."""
        query = select(_TOKEN).where(_TOKEN.c.name > after_name).order_by(_TOKEN.c.name).limit(limit)
        with self._database.read() as connection:
            return [_token(row) for row in connection.execute(query).mappings()]

    def find(self, token_hash: str) -> Token | None:
        """See `TokenStore.find`."""
        with self._database.read() as connection:
            row = connection.execute(self._find, {"wanted": token_hash}).mappings().first()
        return _token(row) if row else None

    def touch(self, token_id: str, at: datetime) -> None:
        """See `TokenStore.touch`."""
        with self._database.write() as connection:
            connection.execute(update(_TOKEN).where(_TOKEN.c.id == token_id).values(last_used_at=at))

    def delete(self, token_id: str, *, actor: Actor, at: datetime) -> None:
        """See `TokenStore.delete`."""
        with self._database.write() as connection:
            name = connection.execute(select(_TOKEN.c.name).where(_TOKEN.c.id == token_id)).scalar()
            if name is None:
                raise NotFound(f"There is no token {token_id}.", code="unknown_token", hint="`GET /tokens` lists them.")
            connection.execute(delete(_TOKEN).where(_TOKEN.c.id == token_id))
            record(connection, at=at, actor=actor, action="token.delete", subject=token_id, detail={"name": name})


def _token(row: RowMapping) -> Token:
    pipelines = row["pipelines"]
    return Token(
        id=row["id"],
        name=row["name"],
        role=parse_role(row["role"]),
        pipelines=tuple(pipelines) if pipelines is not None else None,
        created_by=row["created_by"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        last_used_at=row["last_used_at"],
        grants=grants_in(row["grants"]),
    )
