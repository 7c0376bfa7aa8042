"""What is to be done about a daemon now. Pure: rows in, steps out."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from fastflow.kernel.daemons.domain.records import Daemon, DaemonSpec, Instance, State

AGAIN = "; started again in "
"""Divides the words about a crash: before it, how the instance ended."""
_ACCESS_LOG = re.compile(r'"[A-Z]+ \S+(?: HTTP/[\d.]+)?"')
"""A request as servers log it, `"GET /health HTTP/1.1"`."""


@dataclass(frozen=True, kw_only=True)
class Told:
    """An event to be noted."""

    kind: str
    text: str
    run_id: str | None = None


@dataclass
class Decision:
    """What to do, in this order.

    Attributes:
        daemon: as it is then.
        forget: instances whose end was noticed.
        stop: instances to end, each with `stopping` set.
        start: instances to submit.
        told: events.
    """

    daemon: Daemon
    forget: list[Instance] = field(default_factory=list)
    stop: list[Instance] = field(default_factory=list)
    start: list[Instance] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)

    def changes(self, before: Daemon) -> bool:
        """Whether anything is to be done or written."""
        return bool(self.forget or self.stop or self.start or self.told) or self.daemon != before

    def tell(self, kind: str, text: str, instance: Instance | None = None) -> None:
        """Note an event."""
        run_id = instance.run.id if instance is not None and instance.run is not None else None
        self.told.append(Told(kind=kind, text=text, run_id=run_id))


def decide(
    daemon: Daemon, spec: DaemonSpec | None, instances: Sequence[Instance], tree_hash: str | None, now: datetime
) -> Decision:
    """The next steps.

    Args:
        daemon: its row.
        spec: None: the pipeline is gone, or is no daemon any more.
        instances: all that are known.
        tree_hash: of the code as it is now; None: not known at the moment, so nothing is replaced.
        now: aware.
    """
    decision = Decision(daemon=daemon)
    left = _notice_ends(decision, spec or DaemonSpec(), instances, now)
    if spec is None:
        _stop_all(decision, left, "the pipeline is no daemon any more")
        if daemon.crash_loop_since is not None:
            decision.daemon = replace(decision.daemon, crashes=0, crash_loop_since=None, next_start_at=None)
    elif daemon.wish == "stopped":
        _stop_all(decision, left, "the daemon was stopped")
    elif daemon.wish == "running":
        _notice_code(decision, tree_hash)
        _end_unhealthy(decision, spec, left, now)
        _keep_running(decision, spec, left, tree_hash, now)
    return decision


def state_of(daemon: Daemon, spec: DaemonSpec | None, instances: Sequence[Instance], now: datetime) -> State:
    """How it stands, in a word."""
    alive = [each for each in instances if not each.has_ended]
    if daemon.wish == "paused":
        return "paused"
    if daemon.wish == "stopped" or spec is None:
        return "stopping" if alive else "stopped"
    if daemon.crash_loop_since is not None and daemon.crashes >= spec.crash_loop:
        return "crash-loop"
    if daemon.next_start_at is not None and daemon.next_start_at > now and len(alive) < spec.instances:
        return "backing-off"
    if any(each.stopping for each in alive):
        return "replacing"
    healthy = sum(each.health == "healthy" for each in alive)
    return "running" if healthy >= spec.instances else "starting"


def _notice_code(decision: Decision, tree_hash: str | None) -> None:
    """New code begins without the crashes of the old; whether the loop is over, it has to prove."""
    daemon = decision.daemon
    if tree_hash is None or daemon.code == tree_hash:
        return
    if daemon.code is not None:
        decision.tell("new-code", f"the code is {tree_hash[:12]} now, it was {daemon.code[:12]}")
    decision.daemon = replace(daemon, code=tree_hash, crashes=0, next_start_at=None)


def _notice_ends(decision: Decision, spec: DaemonSpec, instances: Sequence[Instance], now: datetime) -> list[Instance]:
    """Forget what has ended, and count crashes; what is left."""
    left = []
    for instance in instances:
        run = instance.run
        if run is None or not run.has_ended:
            left.append(instance)
            continue
        decision.forget.append(instance)
        if instance.stopping is not None and not instance.is_crash:
            decision.tell("stopped", instance.stopping, instance)
            continue
        why = instance.stopping or run.reason_text or ("it ended by itself" if run.reason is None else run.reason)
        began = run.started_at
        lived = ((run.finished_at or now) - began).total_seconds() if began is not None else 0.0
        was_stable = lived >= spec.stable and (decision.daemon.crashes == 0 or _is_newest(instance, decision.daemon))
        _count_crash(decision, spec, instance, f"{_cause(why)}, after {lived:.0f} s", was_stable, now)
    return left


def _count_crash(
    decision: Decision, spec: DaemonSpec, instance: Instance, why: str, was_stable: bool, now: datetime
) -> None:
    crashes = 1 if was_stable else decision.daemon.crashes + 1
    pause = spec.pause(crashes)
    loop_since = decision.daemon.crash_loop_since
    if was_stable and loop_since is not None:  # nobody looked while it was
        decision.tell("recovered", "it was stable before it crashed again", instance)
        loop_since = None
    decision.tell("crashed", f"{why}{AGAIN}{pause:g} s", instance)
    if crashes >= spec.crash_loop and (loop_since is None or crashes == spec.crash_loop):
        loop_since = loop_since or now
        decision.tell("crash-loop", f"{crashes} crashes in a row; it is tried again, ever more slowly", instance)
    decision.daemon = replace(
        decision.daemon,
        crashes=crashes,
        next_start_at=now + timedelta(seconds=pause),
        crash_loop_since=loop_since,
        failing_since=now if was_stable else decision.daemon.failing_since or now,
    )


def _stop_all(decision: Decision, instances: Sequence[Instance], why: str) -> None:
    for instance in instances:
        if instance.stopping is None and instance.run is not None:
            decision.stop.append(replace(instance, stopping=why))


def _end_unhealthy(decision: Decision, spec: DaemonSpec, instances: Sequence[Instance], now: datetime) -> None:
    for instance in instances:
        run = instance.run
        if instance.stopping is not None or run is None or run.started_at is None:
            continue
        age = (now - run.started_at).total_seconds()
        why = None
        if instance.health == "unhealthy":  # which the probe has told, with its reason
            decision.stop.append(replace(instance, stopping="it is unhealthy", is_crash=True))
        elif instance.health == "starting" and age > spec.start_period:
            why = f"it was not healthy within {spec.start_period:g} s"
        elif _is_proof(instance, decision.daemon) and age >= spec.stable:
            decision.tell("recovered", f"stable for {age:.0f} s", instance)
            decision.daemon = replace(
                decision.daemon, crashes=0, crash_loop_since=None, failing_since=None, next_start_at=None
            )
        if why is not None:
            decision.tell("unhealthy", why, instance)
            decision.stop.append(replace(instance, stopping=why, is_crash=True))


def _is_proof(instance: Instance, daemon: Daemon) -> bool:
    """Whether its life says that the crashes are over: not that of one that ran beside those that crashed."""
    has_crashed = daemon.crashes > 0 or daemon.crash_loop_since is not None or daemon.failing_since is not None
    return has_crashed and instance.health == "healthy" and _is_newest(instance, daemon)


def _is_newest(instance: Instance, daemon: Daemon) -> bool:
    """Whether it was started last, and nothing has crashed since whose successor is still to come."""
    return instance.number == daemon.started and daemon.next_start_at is None


def _cause(why: str) -> str:
    """How an instance ended, without a line of its access log, which is only what it wrote last."""
    how, mark, said = why.partition(": ")
    return how if mark and _ACCESS_LOG.search(said) else why


def _keep_running(
    decision: Decision, spec: DaemonSpec, instances: Sequence[Instance], tree_hash: str | None, now: datetime
) -> None:
    doomed = {each.number for each in decision.stop}
    alive = [each for each in instances if each.stopping is None and each.number not in doomed]
    going = [each for each in instances if each.stopping is not None or each.number in doomed]
    old = [each for each in alive if _is_old(each, decision.daemon, tree_hash)]
    current = [each for each in alive if each not in old]
    for extra in sorted(current, key=lambda each: each.number)[spec.instances :]:
        if extra.run is not None:
            decision.stop.append(replace(extra, stopping="fewer instances are wanted"))
    current = current[: spec.instances]
    # what is being ended because it is unhealthy still counts, so that its successor waits for the pause after the crash
    crashing = sum(each.is_crash for each in [*instances, *decision.stop] if each.stopping is not None)
    if spec.replace == "stop-first":
        _stop_all(decision, old, "it is replaced")
        room = 0 if old or going else spec.instances - len(current)
    else:
        healthy = sum(each.health == "healthy" for each in current)
        spare = max(0, healthy + len(old) - spec.instances)  # so many old ones are not needed any more
        _stop_all(decision, sorted(old, key=lambda each: each.number)[:spare], "it is replaced")
        most = spec.instances + 1 if old else spec.instances
        room = min(spec.instances - len(current), most - len(alive)) - crashing
    if room > 0 and (decision.daemon.next_start_at is None or decision.daemon.next_start_at <= now):
        _start(decision, spec, room, instances)


def _is_old(instance: Instance, daemon: Daemon, tree_hash: str | None) -> bool:
    other_code = tree_hash is not None and instance.tree_hash is not None and instance.tree_hash != tree_hash
    return instance.epoch != daemon.epoch or other_code


def _start(decision: Decision, spec: DaemonSpec, count: int, instances: Sequence[Instance]) -> None:
    taken = {each.port for each in instances}
    for _ in range(count):
        number = decision.daemon.started + 1
        port = None
        if spec.port is not None:
            port = next(port for port in range(spec.port, spec.port + 65_536) if port not in taken)
            taken.add(port)
        decision.start.append(
            Instance(pipeline_name=decision.daemon.pipeline_name, number=number, epoch=decision.daemon.epoch, port=port)
        )
        decision.daemon = replace(decision.daemon, started=number, next_start_at=None)
