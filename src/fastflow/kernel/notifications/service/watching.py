"""Looks, once in a while, for what no event tells: runs that do not start, do not end, did not come."""

import logging
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from statistics import median

from fastflow.kernel.notifications.domain.deadlines import next_deadline
from fastflow.kernel.notifications.domain.history import LOOKED_AT, longest_usual
from fastflow.kernel.notifications.domain.rule import Event, Finding, Rule
from fastflow.kernel.notifications.ports import DiskSpace, DueTime, Sights
from fastflow.kit.clock import Clock

logger = logging.getLogger(__name__)

SILENT_AFTER = timedelta(seconds=90)
LOW_DISK_BYTES = 512 * 2**20
_HISTORY_KEPT = timedelta(minutes=2)
_OLDEST_LOOK = timedelta(days=1)
"""A due time that was missed longer ago, while nothing ran, is in the ledger and no news."""


class Watcher:
    """Judges every rule; a rule that cannot be judged keeps no other waiting.

    Args:
        sights: looks.
        disk: free bytes by folder of this machine.
        low_disk_bytes: fewer are told.
        host: id of this server's data directory.
        clock: tells the time.
    """

    def __init__(
        self, *, sights: Sights, disk: DiskSpace, host: str, clock: Clock, low_disk_bytes: int = LOW_DISK_BYTES
    ) -> None:
        self._sights = sights
        self._disk = disk
        self._low_disk_bytes = low_disk_bytes
        self._host = host
        self._clock = clock
        self._durations: dict[str, tuple[datetime, Sequence[float]]] = {}

    def look(self) -> int:
        """One look at everything; how many alerts are new."""
        now = self._clock.now()
        new = 0
        for rule in self._sights.load_rules():
            try:
                new += self._judge(rule, now)
            except Exception:  # such as a zone that this machine's database has no more
                logger.exception("rule.not_judged", extra={"fields": {"rule": rule.label}})
        return new + self._sights.repeat(now)

    def _judge(self, rule: Rule, now: datetime) -> int:
        marks: dict[str, datetime | None] = {}
        findings: list[Finding] = []
        if "late" in rule.events:
            findings += self._late(rule, now, marks)
        if "slow" in rule.events:
            findings += self._slow(rule, now)
        if "deadline" in rule.events:
            findings += self._deadline(rule, now, marks)
        if "system" in rule.events:
            findings += self._system(now)
        return self._sights.record(rule, findings, now, marks)

    def _late(self, rule: Rule, now: datetime, marks: dict[str, datetime | None]) -> Iterator[Finding]:
        until = now - timedelta(seconds=rule.after)
        if until <= rule.watched_until:
            return
        for due in self._sights.load_due_times(rule, until):
            if due.fire_at > now - _OLDEST_LOOK and _is_late(due, rule.after):
                facts: dict[str, object] = {
                    "schedule": f"{due.pipeline_name}/{due.name}",
                    "due_at": due.due_at.isoformat(),
                    "after": rule.after,
                    "outcome": due.outcome,
                    "why": _why_late(due),
                }
                yield Finding(
                    event="late",
                    key=f"late:{due.schedule_id}:{due.due_at.isoformat()}",
                    group=f"late:{due.schedule_id}",
                    pipeline_name=due.pipeline_name,
                    run_id=due.run_id,
                    schedule_id=due.schedule_id,
                    facts=facts,
                )
        marks["watched_until"] = until

    def _slow(self, rule: Rule, now: datetime) -> Iterator[Finding]:
        for run in self._sights.load_going_on(rule.pipeline_name):
            durations = self._history(run.pipeline_name, now)
            limit = longest_usual(durations, rule)
            if limit is None or (now - run.started_at).total_seconds() <= limit:
                continue
            facts: dict[str, object] = {
                "started_at": run.started_at.isoformat(),
                "limit": limit,
                "median": median(durations),
                "history": len(durations),
            }
            yield Finding(
                event="slow",
                key=f"slow:{run.run_id}",
                group=f"slow:{run.pipeline_name}",
                pipeline_name=run.pipeline_name,
                run_id=run.run_id,
                facts=facts,
            )

    def _history(self, pipeline_name: str, now: datetime) -> Sequence[float]:
        known = self._durations.get(pipeline_name)
        if known is None or abs(now - known[0]) > _HISTORY_KEPT:
            known = (now, self._sights.load_durations(pipeline_name, LOOKED_AT))
            self._durations[pipeline_name] = known
        return known[1]

    def _deadline(self, rule: Rule, now: datetime, marks: dict[str, datetime | None]) -> Iterator[Finding]:
        due = rule.next_check_at
        if due is None or due > now or rule.pipeline_name is None:
            return
        while (following := next_deadline(rule, due)) is not None and following <= now:
            due = following  # while nothing ran several came: the latest is what matters
        marks["next_check_at"] = following
        standing = self._sights.look_at(rule.pipeline_name, due - timedelta(seconds=rule.within), due)
        if standing.succeeded:
            return
        facts: dict[str, object] = {
            "by": rule.by,
            "timezone": rule.timezone,
            "deadline": due.isoformat(),
            "last_success": None if standing.last_success is None else standing.last_success.isoformat(),
            "running": standing.running,
            "last_end": standing.last_end,
        }
        yield _plain("deadline", f"deadline:{rule.pipeline_name}:{due.isoformat()}", rule.pipeline_name, facts)

    def _system(self, now: datetime) -> Iterator[Finding]:
        for name, free in self._disk().items():
            if free < self._low_disk_bytes:
                text = f"{name} has {free // 2**20} MB left; when it is full, runs fail and the database cannot write"
                remedy = "free space on that disk; `fastflow retention` says what could go"
                yield _plain(
                    "system", f"disk:{self._host}:{name}:{now:%Y-%m-%d}", None, {"text": text, "remedy": remedy}
                )
        for server in self._sights.load_silent_servers(now - SILENT_AFTER):
            text = f"the server {server.hostname} has not reported since {server.seen_at:%Y-%m-%d %H:%M:%S} UTC"
            remedy = "see whether it is up; its runs are given up as lost after LOST_AFTER"
            key = f"server:{server.host}:{server.seen_at.isoformat()}"
            yield _plain("system", key, None, {"text": text, "remedy": remedy})


def _plain(event: Event, key: str, pipeline_name: str | None, facts: dict[str, object]) -> Finding:
    group = f"{event}:{pipeline_name or key}"
    return Finding(event=event, key=key, group=group, pipeline_name=pipeline_name, facts=facts)


def _is_late(due: DueTime, after: float) -> bool:
    if due.outcome in (None, "missed"):
        return True
    if due.started_at is None:
        return not due.has_ended  # what ended without a start has failed, which is told as that
    return due.started_at > due.fire_at + timedelta(seconds=after)


def _why_late(due: DueTime) -> str:
    if due.outcome == "missed":
        return due.why
    if due.outcome is None:
        return f"{due.why}: see whether the runner of `fastflow serve` is up"
    if due.started_at is not None:
        return f"it started at {due.started_at:%Y-%m-%d %H:%M:%S} UTC"
    return "its run waits in the queue; `fastflow runs explain` says for what" if due.run_id else due.why
