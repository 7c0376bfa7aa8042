"""Random graphs, random ends, crashes between any two writes, two servers: every step ends in exactly one state, the one
that the declarations ask for, and no run is made twice."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from threading import Barrier
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, event, select
from tests.integration.flows.conftest import FlowDesk

from fastflow.kernel.db.engine import Database
from fastflow.kernel.flows.domain.flow import FlowStatus
from fastflow.kernel.flows.infra.rows import ELEMENT, FLOW, STEP
from fastflow.kernel.flows.ports import FlowView
from fastflow.kernel.runs.infra.rows import RUN


class Crash(BaseException):
    """The process is gone: nothing catches it."""


Graph = Mapping[str, Mapping[str, Any] | None]


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Pipelines p0 ... pn, each after some of those before it."""
    count = draw(st.integers(2, 7))
    found: dict[str, Mapping[str, Any] | None] = {"p0": None}
    for number in range(1, count):
        earlier = [f"p{each}" for each in range(number)]
        ups = draw(st.lists(st.sampled_from(earlier), min_size=1, max_size=3, unique=True))
        after: dict[str, Any] = {"pipelines": ups, "join": draw(st.sampled_from(["all", "any", "always"]))}
        if draw(st.booleans()):
            after["when"] = f"{ups[0]}.n > 1"
        found[f"p{number}"] = after
    return found


def expected(graph: Graph, ends: Mapping[str, tuple[int, int]]) -> dict[str, str]:
    """The state in which each step has to end, worked out by another way."""
    found: dict[str, str] = {}
    for name, after in graph.items():
        states = [found[up] for up in after["pipelines"]] if after else []
        if after is None:
            runs = True
        else:
            good = [state == "SUCCESS" for state in states]
            runs = {"all": all(good), "any": any(good), "always": True}[after["join"]]
            if runs and "when" in after:
                up = after["pipelines"][0]
                has_told = found[up] in ("SUCCESS", "FAILED")
                runs = has_told and ends[up][1] > 1
        found[name] = ("FAILED" if ends[name][0] else "SUCCESS") if runs else "SKIPPED"
    return found


@contextmanager
def crashing(database: Database, after_writes: int | None) -> Iterator[None]:
    """The process dies before its n-th write."""
    left = [after_writes]

    def before(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if left[0] is not None and statement.split(None, 1)[0] in ("INSERT", "UPDATE", "DELETE"):
            left[0] -= 1
            if left[0] < 0:
                raise Crash

    event.listen(database.engine, "before_cursor_execute", before)
    try:
        with suppress(Crash):
            yield
    finally:
        event.remove(database.engine, "before_cursor_execute", before)


def one_step(draw: Any, servers: tuple[FlowDesk, FlowDesk], ends: Mapping[str, tuple[int, int]]) -> None:
    """One server does something, perhaps dying at it."""
    desk = servers[draw(st.integers(0, 1))]
    deed = draw(st.sampled_from(["end", "end", "end", "blind", "tick", "reconcile"]))
    with crashing(desk.database, draw(st.none() | st.integers(0, 12))):
        active = desk.active()
        if deed in ("end", "blind") and active:
            run = active[draw(st.integers(0, len(active) - 1))]
            code, told = ends[run.pipeline_name]
            desk.end(run, exit_code=code, outputs={"n": told}, blind=deed == "blind")
        elif deed == "tick":
            desk.keeper.tick()
        elif deed == "reconcile":
            desk.keeper.reconcile()


def finish(desk: FlowDesk, ends: Mapping[str, tuple[int, int]]) -> None:
    """What a server does from its start on, until nothing is left."""
    for _ in range(100):
        desk.keeper.reconcile()
        desk.keeper.tick()
        active = desk.active()
        if not active:
            return
        for run in active:
            desk.end(run, exit_code=ends[run.pipeline_name][0], outputs={"n": ends[run.pipeline_name][1]})


def made(desk: FlowDesk, flow: FlowView) -> list[str]:
    with desk.database.read() as connection:
        return list(connection.execute(select(RUN.c.pipeline_name)).scalars())


@given(data=st.data(), graph=graphs())
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_flow_when_servers_crash_then_each_step_ends_once_as_declared(
    desk: FlowDesk, data: st.DataObject, graph: Graph
) -> None:
    for table in (ELEMENT, STEP, FLOW, RUN):
        with desk.database.write() as connection:
            connection.execute(delete(table))
    for name in list(desk.catalogue._pipelines):
        desk.catalogue.remove(name)
    for name, after in graph.items():
        desk.add(name, None if after is None else dict(after))
    ends = {name: (data.draw(st.sampled_from([0, 0, 1])), data.draw(st.integers(0, 3))) for name in graph}
    second = Database(desk.database.url.render_as_string(hide_password=False))
    try:
        servers = (desk, desk.beside(second))
        flow = desk.start("p0")
        for _ in range(data.draw(st.integers(0, 12))):
            one_step(data.draw, servers, ends)
        finish(servers[1], ends)
    finally:
        second.close()
    view = desk.view(flow)
    assert view.flow.status is not FlowStatus.RUNNING
    wanted = expected(graph, ends)
    assert desk.states(flow) == wanted
    started = sorted(name for name, state in wanted.items() if state != "SKIPPED")
    assert sorted(made(desk, flow)) == started
    assert all(step.why for step in view.steps)
    assert (view.flow.status is FlowStatus.FAILED) == ("FAILED" in wanted.values())


def test_two_servers_when_two_upstreams_end_at_once_then_the_join_runs_once(
    desk: FlowDesk,
) -> None:
    desk.add("root")
    for side in ("left", "right"):
        desk.add(side, ["root"])
    desk.add("join", ["left", "right"])
    flow = desk.start("root")
    desk.end_all("root")
    second = Database(desk.database.url.render_as_string(hide_password=False))
    try:
        other = desk.beside(second)
        desk.claim()
        left, right = desk.active()
        _at_once(lambda: desk.end(left), lambda: other.end(right))
    finally:
        second.close()
    assert [run.pipeline_name for run in desk.active()] == ["join"]
    desk.end_all()
    assert desk.view(flow).flow.status is FlowStatus.SUCCESS


def _at_once(*deeds: Callable[[], None]) -> None:
    barrier = Barrier(len(deeds))

    def do(deed: Callable[[], None]) -> None:
        barrier.wait()
        deed()

    with ThreadPoolExecutor(len(deeds)) as pool:
        for done in [pool.submit(do, deed) for deed in deeds]:
            done.result()
