"""A run's spans follow from its row: as many as it came through, each below the whole."""

from datetime import timedelta

from fastflow.kernel.runs.domain.run import Run
from fastflow.kernel.runs.domain.states import RunStatus
from fastflow.kernel.tracing.domain.spans import EndedRun, spans_of
from fastflow.testing.clock import START
from fastflow.testing.run_doubles import make_run


def at(seconds: float) -> object:
    return START + timedelta(seconds=seconds)


def run(**values: object) -> Run:
    return make_run(**{"status": RunStatus.SUCCESS, "finished_at": at(9), **values})  # type: ignore[arg-type]


def test_spans_when_a_run_succeeded_then_each_part_of_its_life_is_one() -> None:
    whole, *parts = spans_of(EndedRun(run=run(claimed_at=at(1), started_at=at(3))), 1.0)
    assert (whole.name, whole.since, whole.until, whole.problem) == ("run demo", START, at(9), None)
    assert [(part.name, part.since, part.until) for part in parts] == [
        ("queued", START, at(1)),
        ("setup", at(1), at(3)),
        ("running", at(3), at(9)),
    ]
    assert {part.parent for part in parts} == {whole.context}


def test_spans_when_a_run_failed_before_it_started_then_the_last_part_says_why() -> None:
    failed = run(status=RunStatus.FAILED, reason="setup", claimed_at=at(1))
    whole, queued, setup = spans_of(EndedRun(run=failed), 1.0)
    assert (whole.problem, queued.problem, setup.problem) == ("setup", None, "setup")
    assert (setup.name, setup.until) == ("setup", at(9))


def test_spans_when_a_run_was_cancelled_in_the_queue_then_there_is_its_wait_alone() -> None:
    whole, queued = spans_of(EndedRun(run=run(status=RunStatus.FAILED, reason="cancelled")), 1.0)
    assert (queued.name, queued.problem, whole.attributes["fastflow.run.reason"]) == (
        "queued",
        "cancelled",
        "cancelled",
    )


def test_spans_when_the_clock_was_set_back_then_none_ends_before_it_began() -> None:
    spans = spans_of(EndedRun(run=run(claimed_at=at(-5), started_at=at(-9), finished_at=at(-20))), 1.0)
    assert len(spans) == 4 and all(span.since <= span.until for span in spans)


def test_spans_when_a_run_follows_from_others_then_it_is_linked_to_them() -> None:
    first = run()
    (before, *_) = spans_of(EndedRun(run=first), 1.0)
    (whole, *_) = spans_of(EndedRun(run=run(), earlier=[(first.id, first.capsule)]), 1.0)
    assert whole.links == [before.context] and whole.context.trace_id != before.context.trace_id


def test_spans_when_the_run_is_not_sampled_then_there_are_none() -> None:
    assert spans_of(EndedRun(run=run()), 0.0) == ()
