"""Rules as people make and change them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from fastflow.kernel.notifications.domain.deadlines import next_deadline
from fastflow.kernel.notifications.domain.errors import InvalidRule, RuleDeclared, RuleNotFound
from fastflow.kernel.notifications.domain.rule import Origin, Rule, RuleDefinition, check
from fastflow.kernel.notifications.ports import ChannelStore, Pipelines, RuleFilter, RuleStore
from fastflow.kit.clock import Clock
from fastflow.kit.errors import FastFlowError, Forbidden, named
from fastflow.kit.identity import Actor, Role
from fastflow.kit.ids import new_id, parse_id
from fastflow.kit.pages import DEFAULT_PAGE_SIZE, Page, decode_cursor, encode_cursor
from fastflow.kit.words import did_you_mean

_MANY = 1000


@dataclass(frozen=True, kw_only=True)
class RuleView:
    """A rule and what keeps it from telling anybody.

    Attributes:
        problem: in words; None: nothing does.
    """

    rule: Rule
    problem: str | None


class RuleService:
    """Rules. Every method that changes something is one transaction with its audit entry."""

    def __init__(self, *, store: RuleStore, channels: ChannelStore, pipelines: Pipelines, clock: Clock) -> None:
        self._store = store
        self._channels = channels
        self._pipelines = pipelines
        self._clock = clock

    def create(self, definition: RuleDefinition, *, actor: Actor, is_enabled: bool = True) -> RuleView:
        """A new rule; it tells of what happens from now on.

        Raises:
            NotFound: no such pipeline; names near ones.
            InvalidRule: names every wrong field.
            RuleNameTaken: the pipeline has a rule of that name.
            Forbidden: role, or outside the actor's scope.
        """
        _require_operator(actor, definition.pipeline_name)
        checked = self._check(definition)
        rule = make_rule(checked, "user", actor, self._clock.now(), is_enabled=is_enabled)
        return self._view([self._store.add(rule, actor=actor)])[0]

    def change(
        self, rule_id: str, definition: RuleDefinition, *, actor: Actor, is_enabled: bool | None = None
    ) -> RuleView:
        """Give the rule a new form.

        Raises:
            RuleNotFound: there is none.
            RuleDeclared: the code declares it.
            Others: as `create`.
        """
        before = self._operated(rule_id, actor)
        if before.origin == "code":
            raise _declared(before)
        if definition.pipeline_name != before.pipeline_name:
            raise InvalidRule({"pipeline_name": f"is {before.pipeline_name!r} and stays so; make another rule"})
        checked = self._check(replace(definition, name=definition.name or before.name))
        after = remake(before, checked, actor, self._clock.now())
        if is_enabled is not None:
            after = replace(after, is_enabled=is_enabled)
        if not self._store.change(after, actor=actor):
            raise RuleNotFound(rule_id)
        return self._view([after])[0]

    def delete(self, rule_id: str, *, actor: Actor) -> None:
        """Remove it; what it told stays in the history.

        Raises:
            RuleNotFound: there is none.
            RuleDeclared: the code declares it, and would bring it back.
            Forbidden: role, or outside the actor's scope.
        """
        rule = self._operated(rule_id, actor)
        if rule.origin == "code" and self._has_pipeline(rule):
            raise _declared(rule)
        if not self._store.delete(rule, actor=actor, at=self._clock.now()):
            raise RuleNotFound(rule_id)

    def get(self, rule_id: str, *, actor: Actor) -> RuleView:
        """The rule.

        Raises:
            InvalidInput: not an id.
            RuleNotFound: there is none.
            Forbidden: outside the actor's scope.
        """
        return self._view([self._find(rule_id, actor)])[0]

    def list(
        self,
        wanted: RuleFilter | None = None,
        *,
        actor: Actor,
        cursor: str | None = None,
        limit: int = DEFAULT_PAGE_SIZE,
    ) -> Page[RuleView]:
        """One page of rules, oldest first; those of pipelines outside the actor's scope are left out.

        Raises:
            InvalidInput: the cursor was not given out by this list.
            Forbidden: the filter names a pipeline outside the actor's scope.
        """
        wanted = wanted or RuleFilter()
        if wanted.pipeline_name is not None:
            actor.require_pipeline(wanted.pipeline_name)
        else:
            wanted = replace(wanted, pipelines=actor.reach())
        after = parse_id(str(decode_cursor(cursor, (str,))[0]), "cursor") if cursor else ""
        found = self._store.load_page(wanted, after_id=after, limit=limit + 1)
        next_cursor = encode_cursor(found[limit - 1].id) if len(found) > limit else None
        return Page(items=self._view(found[:limit]), next_cursor=next_cursor)

    def _check(self, definition: RuleDefinition) -> RuleDefinition:
        if definition.pipeline_name is not None:
            with named("pipeline_name"):
                self._pipelines.get(definition.pipeline_name)
        problems: dict[str, str] = {}
        try:
            definition = check(definition)
        except InvalidRule as error:
            problems.update(error.fields)
        known = self._channels.find([name for name in definition.channels if name.isprintable()])
        missing = [name for name in definition.channels if name not in known]
        if missing and "channels" not in problems:
            near = did_you_mean(missing[0], [one.name for one in self._channels.load_page(after_name="", limit=_MANY)])
            problems["channels"] = f"{missing[0][:80]!r} is no channel" + (f".{near}" if near else "; make it first")
        if problems:
            raise InvalidRule(problems)
        return definition

    def _find(self, rule_id: str, actor: Actor) -> Rule:
        rule_id = parse_id(rule_id, "rule_id")
        rule = self._store.find(rule_id)
        if rule is None:
            raise RuleNotFound(rule_id)
        if rule.pipeline_name is not None:
            actor.require_pipeline(rule.pipeline_name)
        return rule

    def _operated(self, rule_id: str, actor: Actor) -> Rule:
        """The rule, which the actor may change."""
        actor.require_somewhere(Role.OPERATOR)
        rule = self._find(rule_id, actor)
        _require_operator(actor, rule.pipeline_name)
        return rule

    def _view(self, rules: Sequence[Rule]) -> Sequence[RuleView]:
        known = self._channels.find({name for rule in rules for name in rule.channels}) if rules else {}
        return [
            RuleView(rule=rule, problem=_problem([name for name in rule.channels if name not in known]))
            for rule in rules
        ]

    def _has_pipeline(self, rule: Rule) -> bool:
        try:
            self._pipelines.get(rule.pipeline_name or "")
        except FastFlowError:
            return False
        return True


def make_rule(
    definition: RuleDefinition, origin: Origin, actor: Actor, now: datetime, *, is_enabled: bool = True
) -> Rule:
    """A new rule."""
    values: dict[str, Any] = {**vars(definition), "name": definition.name or ""}
    by = actor.name[:200]
    return Rule(
        **values,
        id=new_id(),
        origin=origin,
        is_enabled=is_enabled,
        watched_until=now,
        next_check_at=next_deadline(definition, now),
        created_at=now,
        created_by=by,
        updated_at=now,
        updated_by=by,
    )


def remake(before: Rule, definition: RuleDefinition, actor: Actor, now: datetime) -> Rule:
    """The rule in its new form."""
    values: dict[str, Any] = {**vars(definition), "name": definition.name or before.name}
    return replace(
        before,
        **values,
        next_check_at=next_deadline(definition, now),
        updated_at=now,
        updated_by=actor.name[:200],
    )


def _problem(missing: Sequence[str]) -> str | None:
    return f"There is no channel {', '.join(missing)}." if missing else None


def _require_operator(actor: Actor, pipeline_name: str | None) -> None:
    if pipeline_name is not None:
        actor.require_pipeline(pipeline_name, Role.OPERATOR)
    elif actor.reach(Role.OPERATOR) is not None:
        raise Forbidden(
            f"{actor.name} may not make rules for every pipeline.",
            hint="Name a pipeline that you may operate.",
        )


def _declared(rule: Rule) -> RuleDeclared:
    return RuleDeclared(f"The rule {rule.label} is declared in the settings of pipeline {rule.pipeline_name}.")
