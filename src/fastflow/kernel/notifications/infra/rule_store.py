"""Rules in the database."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from fastflow.kernel.audit import record
from fastflow.kernel.db.engine import Database
from fastflow.kernel.db.scope import in_scope
from fastflow.kernel.notifications.domain.errors import RuleNameTaken
from fastflow.kernel.notifications.domain.rule import Rule
from fastflow.kernel.notifications.infra.rows import RULE, rule_of, values_of_rule
from fastflow.kernel.notifications.ports import RuleFilter
from fastflow.kit.identity import Actor


class SqlRuleStore:
    """See `ports.RuleStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, rule: Rule, *, actor: Actor) -> Rule:
        """See `RuleStore.add`."""
        try:
            with self._database.write() as connection:
                self._database.lock(connection, "alert-rules")
                named = rule if rule.name else replace(rule, name=_free_name(connection, rule))
                connection.execute(insert(RULE), values_of_rule(named))
                self._note(connection, named, "alert_rule.create", actor, rule.created_at)
        except IntegrityError as error:
            raise _taken(rule) from error
        return named

    def change(self, rule: Rule, *, actor: Actor) -> bool:
        """See `RuleStore.change`."""
        values = {name: value for name, value in values_of_rule(rule).items() if name not in ("id", "origin")}
        try:
            with self._database.write() as connection:
                if not connection.execute(update(RULE).where(RULE.c.id == rule.id).values(**values)).rowcount:
                    return False
                self._note(connection, rule, "alert_rule.change", actor, rule.updated_at)
        except IntegrityError as error:
            raise _taken(rule) from error
        return True

    def delete(self, rule: Rule, *, actor: Actor, at: datetime) -> bool:
        """See `RuleStore.delete`."""
        with self._database.write() as connection:
            if not connection.execute(delete(RULE).where(RULE.c.id == rule.id)).rowcount:
                return False
            self._note(connection, rule, "alert_rule.delete", actor, at)
        return True

    def find(self, rule_id: str) -> Rule | None:
        """See `RuleStore.find`."""
        with self._database.read() as connection:
            row = connection.execute(select(RULE).where(RULE.c.id == rule_id)).mappings().first()
            return None if row is None else rule_of(row)

    def load_page(self, wanted: RuleFilter, *, after_id: str, limit: int) -> Sequence[Rule]:
        """See `RuleStore.load_page`. A filter by channel is judged row by row: there are few rules."""
        query = select(RULE).where(RULE.c.id > after_id).order_by(RULE.c.id)
        if wanted.pipeline_name is not None:
            query = query.where(RULE.c.pipeline_name == wanted.pipeline_name)
        if wanted.origin is not None:
            query = query.where(RULE.c.origin == wanted.origin)
        if wanted.pipelines is not None:
            query = query.where(or_(in_scope(RULE.c.pipeline_name, wanted.pipelines), RULE.c.pipeline_name == ""))
        if wanted.channel is None:
            query = query.limit(limit)
        with self._database.read() as connection:
            found = [rule_of(row) for row in connection.execute(query).mappings()]
        return [rule for rule in found if wanted.channel is None or wanted.channel in rule.channels][:limit]

    def load_all(self) -> Sequence[Rule]:
        """See `RuleStore.load_all`."""
        with self._database.read() as connection:
            return [rule_of(row) for row in connection.execute(select(RULE).order_by(RULE.c.id)).mappings()]

    def _note(self, connection: Connection, rule: Rule, action: str, actor: Actor, at: datetime) -> None:
        detail: dict[str, Any] = {
            "rule": rule.label,
            "events": list(rule.events),
            "channels": list(rule.channels),
            "enabled": rule.is_enabled,
        }
        record(connection, at=at, actor=actor, action=action, subject=rule.id, detail=detail)


def _free_name(connection: Connection, rule: Rule) -> str:
    same = (RULE.c.pipeline_name == (rule.pipeline_name or ""), RULE.c.origin == rule.origin)
    taken = set(connection.execute(select(RULE.c.name).where(*same)).scalars())
    number = 1
    while f"{rule.events[0]}-{number}" in taken:
        number += 1
    return f"{rule.events[0]}-{number}"


def _taken(rule: Rule) -> RuleNameTaken:
    whose = f"The pipeline {rule.pipeline_name}" if rule.pipeline_name else "The whole system"
    return RuleNameTaken(f"{whose} has a rule {rule.name!r} already.", fields={"name": "is taken"})
