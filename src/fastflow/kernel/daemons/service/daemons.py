"""Daemons as their users see them: look, start, stop, restart, pause."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from fastflow.kernel.daemons.domain.deciding import state_of
from fastflow.kernel.daemons.domain.declared import read_daemon
from fastflow.kernel.daemons.domain.errors import DaemonNotFound
from fastflow.kernel.daemons.domain.records import (
    WINDOW,
    Daemon,
    DaemonEvent,
    DaemonSpec,
    Instance,
    LastEnd,
    State,
    Wish,
)
from fastflow.kernel.daemons.ports import WAKE_MESSAGE, DaemonStore, Pipelines, WakeUp
from fastflow.kit.clock import Clock
from fastflow.kit.identity import Actor, Role
from fastflow.kit.pages import DEFAULT_PAGE_SIZE, Page, bad_cursor, decode_cursor, encode_cursor
from fastflow.kit.words import counted, did_you_mean


@dataclass(frozen=True, kw_only=True)
class DaemonView:
    """A daemon with what it asks for and what runs.

    Attributes:
        last: how it ended unexpectedly last; None: it crashes not.
    """

    daemon: Daemon
    spec: DaemonSpec | None
    instances: Sequence[Instance]
    state: State
    last: LastEnd | None = None

    @property
    def trouble(self) -> str | None:
        """What is wrong with it, in words."""
        if self.daemon.trouble is not None or self.last is None:
            return self.daemon.trouble
        return f"{self.last.text}; {counted(self.last.restarts, 'restart')} within an hour"


class DaemonService:
    """What people do with daemons; the keeper in the runner process does the rest.

    Args:
        store: the daemons.
        pipelines: whose settings declare them.
        wakeup: tells the keeper.
        clock: the time of changes.
    """

    def __init__(self, *, store: DaemonStore, pipelines: Pipelines, wakeup: WakeUp, clock: Clock) -> None:
        self._store = store
        self._pipelines = pipelines
        self._wakeup = wakeup
        self._clock = clock

    def list(self, *, actor: Actor, cursor: str | None = None, limit: int = DEFAULT_PAGE_SIZE) -> Page[DaemonView]:
        """One page of the daemons in the actor's scope, by name.

        Raises:
            InvalidInput: the cursor was not given out by this list.
        """
        after = str(decode_cursor(cursor, (str,))[0]) if cursor else ""
        views = [view for view in self._views() if actor.may_touch(view.daemon.pipeline_name)]
        found = [view for view in views if view.daemon.pipeline_name > after][: limit + 1]
        items = found[:limit]
        more = len(found) > limit
        return Page(items=items, next_cursor=encode_cursor(items[-1].daemon.pipeline_name) if more else None)

    def get(self, name: str, *, actor: Actor) -> DaemonView:
        """The daemon.

        Raises:
            DaemonNotFound: the pipeline is none.
            Forbidden: it is outside the actor's scope.
        """
        actor.require_pipeline(name)
        view = next((each for each in self._views() if each.daemon.pipeline_name == name), None)
        if view is None:
            raise self._unknown(name, actor)
        return view

    def wish(self, name: str, wish: Wish, *, actor: Actor) -> DaemonView:
        """Start, stop or pause the daemon; raises as `get`."""
        return self._change(name, wish, actor, is_restart=False)

    def restart(self, name: str, *, actor: Actor) -> DaemonView:
        """Replace its instances, in the way its settings say; a stopped or paused one is started. Raises as `get`."""
        return self._change(name, "running", actor, is_restart=True)

    def list_events(
        self, name: str, *, actor: Actor, cursor: str | None = None, limit: int = DEFAULT_PAGE_SIZE
    ) -> Page[DaemonEvent]:
        """One page of what happened to it, latest first; raises as `get` and `list`."""
        self.get(name, actor=actor)
        before = cast("int", decode_cursor(cursor, (int,))[0]) if cursor else None
        if before is not None and before < 0:
            raise bad_cursor()
        found = self._store.load_events(name, before_id=before, limit=limit + 1)
        items = found[:limit]
        return Page(items=items, next_cursor=encode_cursor(items[-1].id) if len(found) > limit else None)

    def _change(self, name: str, wish: Wish, actor: Actor, *, is_restart: bool) -> DaemonView:
        actor.require_pipeline(name, Role.OPERATOR)
        now = self._clock.now()
        self._store.declare([each for each in self._specs() if each == name], now)
        if not self._store.wish(name, wish, is_restart=is_restart, actor=actor, at=now):
            raise self._unknown(name, actor)
        self._wakeup.wake_runner(WAKE_MESSAGE)
        return self.get(name, actor=actor)

    def _unknown(self, name: str, actor: Actor) -> DaemonNotFound:
        """Why there is no such daemon, and which one may be meant."""
        if any(pipeline.name == name for pipeline in self._pipelines.list()):
            return DaemonNotFound(f"The pipeline {name[:200]!r} is no daemon.")
        known = [view.daemon.pipeline_name for view in self._views() if actor.may_touch(view.daemon.pipeline_name)]
        return DaemonNotFound(f"There is no pipeline {name[:200]!r}.{did_you_mean(name, known)}")

    def _views(self) -> "Sequence[DaemonView]":
        specs, now = self._specs(), self._clock.now()
        known = {daemon.pipeline_name: (daemon, instances) for daemon, instances in self._store.load()}
        for name in specs:  # declared just now: the keeper has not seen it yet
            if name not in known:
                known[name] = (Daemon(pipeline_name=name, changed_at=now, changed_by="system"), ())
        crashing = [daemon.pipeline_name for daemon, _ in known.values() if daemon.crashes]
        lasts = self._store.load_last_ends(crashing, now - WINDOW)
        return [
            DaemonView(
                daemon=daemon,
                spec=specs.get(name),
                instances=instances,
                state=state_of(daemon, specs.get(name), instances, now),
                last=lasts.get(name),
            )
            for name, (daemon, instances) in sorted(known.items())
            if name in specs or instances  # one that was a daemon once is remembered, and shown while any of it is left
        ]

    def _specs(self) -> "dict[str, DaemonSpec]":
        found = {each.name: read_daemon(each.daemon, each.params_schema)[0] for each in self._pipelines.list()}
        return {name: spec for name, spec in found.items() if spec is not None}
