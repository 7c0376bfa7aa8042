"""Failure and recovery are decided with the end itself, once."""

from typing import Any

import pytest
from tests.integration.notifications.conftest import Desk

from fastflow.kernel.notifications.infra.deciding import EndAlerts
from fastflow.kernel.notifications.infra.rows import NOTIFICATION
from fastflow.kernel.runs.domain.states import RunStatus
from fastflow.kernel.runs.infra.at_end import Ends, ended_on_arrival


def test_failure_when_a_rule_asks_for_it_then_one_row_for_each_channel(desk: Desk) -> None:
    desk.channel()
    desk.channel("second")
    desk.rule("failure", channels=("ops", "second"))
    run = desk.end()
    (alert,) = desk.alerts()
    assert (alert.event, alert.run_id, alert.severity.word) == ("failure", run.id, "critical")
    assert alert.facts["reason_text"] == "exit code 3"
    assert sorted(one.channel for one in desk.outbox()) == ["ops", "second"]
    assert desk.states() == ["waiting", "waiting"]


def test_failure_when_the_end_is_told_twice_then_it_is_told_once(desk: Desk) -> None:
    desk.channel()
    desk.rule()
    run = desk.end()
    with desk.database.write() as connection:
        Ends([EndAlerts()]).tell(connection, ended_on_arrival(run), desk.clock.now())
    assert len(desk.alerts()) == len(desk.outbox()) == 1


def test_failure_when_the_transaction_is_rolled_back_then_nothing_is_left(desk: Desk) -> None:
    desk.channel()
    desk.rule()
    run = desk.end("SUCCESS")
    failed = ended_on_arrival(run)
    with pytest.raises(RuntimeError, match="power"), desk.database.write() as connection:
        failed.status = type(failed.status)("FAILED")
        failed.reason = "exit"
        assert not EndAlerts().run_ended(connection, failed, desk.clock.now())
        assert connection.execute(NOTIFICATION.select()).first() is not None
        raise RuntimeError("power")
    assert desk.alerts() == []


@pytest.mark.parametrize(
    ("rule", "end", "told"),
    [
        ({}, {"reason": "cancelled"}, 0),
        ({"reasons": ("cancelled",)}, {"reason": "cancelled"}, 1),
        ({"reasons": ("oom",)}, {"reason": "exit"}, 0),
        ({"pipeline_name": None}, {}, 1),
        ({"pipeline_name": "other"}, {}, 0),
    ],
    ids=["cancelled", "cancelled-wanted", "other-reason", "every-pipeline", "other-pipeline"],
)
@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_failure_when_a_rule_is_for_something_else_then_it_says_nothing(
    desk: Desk, rule: dict[str, Any], end: dict[str, Any], told: int
) -> None:
    desk.pipelines.add("other")
    desk.channel()
    desk.rule("failure", **rule)
    desk.end("FAILED", **end)
    assert len(desk.alerts()) == told


def test_recovery_when_the_first_run_after_failures_succeeds_then_it_is_told_once_and_the_failures_are_over(
    desk: Desk,
) -> None:
    desk.channel()
    desk.rule("failure", "recovery", repeat_every=3600.0)
    desk.end("SUCCESS")
    since = desk.clock.now()
    desk.end()
    desk.clock.advance(60)
    desk.end()
    desk.end("FAILED", reason="cancelled")
    desk.clock.advance(60)
    desk.end("SUCCESS")
    desk.end("SUCCESS")
    assert [alert.event for alert in desk.alerts()] == ["failure", "failure", "recovery"]
    first, second, recovery = desk.alerts()
    assert (first.facts["failures"], second.facts["failures"], recovery.facts["failures"]) == (1, 2, 2)
    assert recovery.facts["failing_since"] == since.isoformat()
    assert all(alert.resolved_at == desk.clock.now() and alert.next_repeat_at is None for alert in desk.alerts())


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_recovery_when_only_recovery_is_asked_for_then_failures_are_remembered_all_the_same(desk: Desk) -> None:
    desk.channel()
    desk.rule("recovery")
    desk.end()
    assert desk.alerts() == []
    desk.end("SUCCESS")
    assert [alert.event for alert in desk.alerts()] == ["recovery"]


def test_failure_when_it_is_tried_again_then_only_the_last_word_is_told(desk: Desk) -> None:
    desk.channel()
    desk.rule()
    run = desk.end("SUCCESS")
    failed = ended_on_arrival(run)
    failed.status, failed.reason, failed.retried_by = RunStatus.FAILED, "exit", "the next one"
    with desk.database.write() as connection:
        Ends([EndAlerts()]).tell(connection, failed, desk.clock.now(), guarded=False)
    assert desk.alerts() == []
    desk.end()
    assert [alert.facts["failures"] for alert in desk.alerts()] == [1]
