"""Keeps the rules of origin `code` in step with what the pipelines' settings declare."""

import logging
from collections.abc import Mapping, Sequence

from fastflow.kernel.notifications.domain.declared import read_declared
from fastflow.kernel.notifications.domain.errors import RuleNameTaken
from fastflow.kernel.notifications.domain.rule import Rule, RuleDefinition
from fastflow.kernel.notifications.ports import Pipelines, RuleStore
from fastflow.kernel.notifications.service.rules import make_rule, remake
from fastflow.kernel.pipelines.domain.pipeline import Pipeline
from fastflow.kit.clock import Clock
from fastflow.kit.identity import SYSTEM

logger = logging.getLogger(__name__)


class DeclaredRules:
    """Compares the code with the table; a pipeline that is broken or gone keeps its rules."""

    def __init__(self, store: RuleStore, pipelines: Pipelines, clock: Clock) -> None:
        self._store = store
        self._pipelines = pipelines
        self._clock = clock

    def keep_in_step(self) -> int:
        """Add, change and remove until the table says what the code says; how many steps that took."""
        pipelines = self._pipelines.list()
        healthy = {pipeline.name for pipeline in pipelines if pipeline.is_healthy}
        wanted = _declared(pipelines)
        known = {
            (rule.pipeline_name or "", rule.name): rule for rule in self._store.load_all() if rule.origin == "code"
        }
        steps = 0
        for key, definition in wanted.items():
            steps += self._follow(known.get(key), definition)
        for key, rule in known.items():
            if key not in wanted and key[0] in healthy:
                steps += self._store.delete(rule, actor=SYSTEM, at=self._clock.now())
                logger.info("alert_rule.removed", extra={"fields": {"rule": rule.label}})
        return steps

    def _follow(self, before: Rule | None, definition: RuleDefinition) -> bool:
        now = self._clock.now()
        if before is None:
            rule = make_rule(definition, "code", SYSTEM, now)
            try:
                self._store.add(rule, actor=SYSTEM)
            except RuleNameTaken:  # another server was quicker
                return False
            logger.info("alert_rule.added", extra={"fields": {"rule": rule.label}})
            return True
        if before.definition == definition:
            return False
        return self._store.change(remake(before, definition, SYSTEM, now), actor=SYSTEM)


def _declared(pipelines: Sequence[Pipeline]) -> Mapping[tuple[str, str], RuleDefinition]:
    return {
        (pipeline.name, entry.definition.name or ""): entry.definition
        for pipeline in pipelines
        if pipeline.is_healthy
        for entry in read_declared(pipeline.name, pipeline.notify)
        if entry.definition is not None
    }
