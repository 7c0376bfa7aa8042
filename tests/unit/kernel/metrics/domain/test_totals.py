"""Totals count each end once, in the right class, whatever the clock did meanwhile."""

from datetime import timedelta

from fastflow.kernel.metrics.domain.totals import RUN_BOUNDS, RunEnd, Total, count_up
from fastflow.testing.clock import START


def end(run_seconds: float | None = 2.0, **values: object) -> RunEnd:
    started = None if run_seconds is None else START + timedelta(seconds=1)
    given = {
        "id": 1,
        "pipeline_name": "demo",
        "status": "SUCCESS",
        "reason": "",
        "queued_at": START,
        "claimed_at": START + timedelta(seconds=0.5),
        "started_at": started,
        "finished_at": START if started is None else started + timedelta(seconds=run_seconds or 0.0),
    }
    return RunEnd(**{**given, **values})  # type: ignore[arg-type]


def test_total_when_ends_are_added_then_each_duration_is_in_its_class() -> None:
    total = Total()
    for seconds in (0.05, 1.0, 1.01, 10**6):
        total.add(end(seconds))
    assert (total.runs, total.queue.counts, total.queue.sum) == (4, [0, 0, 4, 0, 0, 0, 0, 0], 2.0)
    found = {bound: count for bound, count in zip([*RUN_BOUNDS, None], total.run.counts, strict=True) if count}
    assert found == {0.1: 1, 1.0: 1, 5.0: 1, None: 1}


def test_total_when_a_run_never_started_then_it_counts_without_a_duration() -> None:
    total = Total()
    total.add(end(None, claimed_at=None))
    assert (total.runs, sum(total.queue.counts), sum(total.setup.counts), sum(total.run.counts)) == (1, 0, 0, 0)


def test_total_when_the_clock_was_set_back_then_no_duration_is_negative() -> None:
    total = Total()
    total.add(end(-5.0))
    assert (total.run.counts[0], total.run.sum) == (1, 0.0)


def test_total_when_kept_as_json_and_merged_then_nothing_is_lost() -> None:
    (total,) = count_up([end(), end(0.2)]).values()
    again = Total.from_json(total.runs, total.to_json())
    assert again == total
    again.merge(total)
    assert (again.runs, again.run.sum, sum(again.run.counts)) == (4, 4.4, 4)
