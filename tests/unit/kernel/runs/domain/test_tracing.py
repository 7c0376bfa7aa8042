"""A run's place in a trace follows from its id and its caller's words alone."""

import pytest

from fastflow.kernel.runs.domain.tracing import RunTrace, parse_traceparent, trace_environment

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "nonsense",
        CALLER.upper(),
        CALLER + "-more",
        "ff" + CALLER[2:],
        CALLER.replace("b7ad6b7169203331", "0" * 16),
        CALLER + "\n",
    ],
)
def test_traceparent_when_it_cannot_be_understood_then_it_tells_nothing(text: str | None) -> None:
    assert parse_traceparent(text) is None


def test_traceparent_when_of_a_later_version_then_what_is_known_of_it_is_taken() -> None:
    assert str(parse_traceparent("01" + CALLER[2:] + "-more")) == CALLER


def test_trace_when_the_caller_has_one_then_the_run_belongs_to_it() -> None:
    trace = RunTrace.of("run-1", {"trace": CALLER}, 0.0)
    assert (trace.trace_id, str(trace.parent), trace.is_sampled) == (CALLER[3:35], CALLER, True)
    assert not RunTrace.of("run-1", {"trace": CALLER[:-1] + "0"}, 1.0).is_sampled


def test_trace_when_it_begins_here_then_every_process_finds_the_same_one() -> None:
    one, again = RunTrace.of("run-1", {}, 1.0), RunTrace.of("run-1", {}, 1.0)
    assert one == again and one.is_sampled and one.parent is None
    spans = {str(one.context(name)) for name in ("run", "queued", "setup", "running")}
    assert len(spans) == 4 and all(parse_traceparent(span) for span in spans)
    assert RunTrace.of("run-2", {}, 1.0).trace_id != one.trace_id


def test_trace_when_a_share_is_sampled_then_about_so_many_are() -> None:
    sampled = sum(RunTrace.of(f"run-{number}", {}, 0.25).is_sampled for number in range(1000))
    assert 200 < sampled < 300
    assert not RunTrace.of("run-1", {}, 0.0).is_sampled


def test_environment_when_tracing_is_on_or_off_then_the_script_is_told_what_is_recorded() -> None:
    assert trace_environment("run-1", {}, None) == {}
    assert trace_environment("run-1", {"trace": CALLER}, None) == {"TRACEPARENT": CALLER}
    told = parse_traceparent(trace_environment("run-1", {"trace": CALLER}, 1.0)["TRACEPARENT"])
    assert told == RunTrace.of("run-1", {"trace": CALLER}, 1.0).context("running")
