from dataclasses import replace
from datetime import timedelta

from fastflow.kernel.failures.domain.changes import Commit, changes_of, compare, measures_of, summarise
from fastflow.kernel.runs.domain.comparing import PackageChange, RunDiff, comparable
from fastflow.kernel.runs.domain.comparing import compare as compare_runs
from fastflow.kernel.runs.domain.run import Run
from fastflow.kernel.runs.domain.states import RunStatus
from fastflow.testing.clock import START
from fastflow.testing.run_doubles import make_run


def took(run: Run, seconds: float, **values: float) -> Run:
    return replace(run, started_at=START, finished_at=START + timedelta(seconds=seconds), metrics=values or None)


def diff_of(left: Run, right: Run) -> RunDiff:
    return RunDiff(left=left, right=right, differences=compare_runs(comparable(left), comparable(right)))


GOOD = took(make_run(status=RunStatus.SUCCESS, params={"CITY": "Ulm"}, host="one", environment="a" * 64), 1.0)


def test_changes_when_runs_differ_then_causes_are_named_and_results_are_not() -> None:
    bad = replace(
        GOOD,
        status=RunStatus.FAILED,
        exit_code=1,
        metrics={"rows": 3},
        params={"CITY": "Bonn"},
        environment="b" * 64,
        host="two",
        capsule={**GOOD.capsule, "tree_hash": "other", "limits": {**GOOD.capsule["limits"], "memory_bytes": 1}},
    )
    changes = changes_of(diff_of(GOOD, bad))
    assert [(change.kind, change.what) for change in changes] == [
        ("code", "tree_hash"),
        ("dependencies", "environment"),
        ("parameter", "params.CITY"),
        ("limit", "limits.memory_bytes"),
        ("host", "host"),
    ]
    diff = replace(diff_of(GOOD, bad), packages=[PackageChange(name="pandas", left="2.1", right="2.2")])
    commits = [Commit(id="c" * 40, author="Ann", at=START, subject="quicker reading")]
    text = summarise(GOOD, changes, [], diff, commits)
    assert "last by Ann: 'quicker reading'" in text and "pandas 2.1 → 2.2" in text and "params.CITY Ulm → Bonn" in text


def test_summary_when_nothing_changed_then_it_says_where_else_to_look() -> None:
    assert "nothing that makes up a run has changed" in summarise(GOOD, [], [], diff_of(GOOD, GOOD), [])
    assert "nothing to compare with" in summarise(None, [], [], None, None)


def test_measures_when_a_value_is_far_off_then_it_is_unusual() -> None:
    history = [took(make_run(), 1.0 + 0.01 * number, **{"input.rows": 100.0 + number}) for number in range(9)]
    measures = {
        each.name: each for each in measures_of(took(make_run(), 60.0, **{"input.rows": 3.0, "new": 1.0}), history)
    }
    assert (measures["duration"].verdict, measures["metric.input.rows"].verdict) == ("high", "low")
    assert "metric.new" not in measures
    text = summarise(None, [], list(measures.values()), None, None)
    assert "duration is high (60 s, usually 1.04 s)" in text


def test_measures_when_inputs_differ_by_a_few_bytes_then_they_are_usual() -> None:
    history = [replace(make_run(), params={"CITY": "Ulm"}) for _ in range(9)]
    run = replace(make_run(), params={"CITY": "Garmisch-Partenkirchen"})
    (measure,) = [each for each in measures_of(run, history) if each.name == "params_bytes"]
    assert (measure.value, measure.median, measure.verdict) == (33.0, 14.0, "usual")


def test_measure_when_the_history_is_short_or_even_then_it_is_not_called_unusual() -> None:
    assert compare("x", 9.0, [1.0] * 4).verdict == "unknown"
    assert compare("x", 1.1, [1.0] * 9).verdict == "usual"
