"""Delivery: at least once, in order of what channels want, with an outcome in words."""

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from tests.integration.notifications.conftest import ADMIN, OPERATOR, URL, Desk

from fastflow.kernel.db.engine import Database
from fastflow.kernel.notifications.domain.channel import QuietHours
from fastflow.kernel.notifications.domain.message import Surroundings, compose
from fastflow.kernel.notifications.domain.outbox import MAX_ATTEMPTS, State
from fastflow.kernel.notifications.infra.outbox_store import LEASE, SqlOutbox
from fastflow.kernel.notifications.ports import Delivery

ONE = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)


def test_failure_when_delivered_then_the_message_says_what_why_where_and_what_to_do(desk: Desk) -> None:
    desk.channel()
    desk.rule()
    run = desk.end()
    desk.logs.lines[run.id] = ["Traceback (most recent call last):", "\x1b[31mValueError: no data\x1b[0m"]
    assert desk.deliver() == 1
    (sent,) = desk.sender.sent
    assert sent.urls == (URL,)
    assert sent.message.title == "[FAILED] demo: exit code 3"
    body = sent.message.body
    assert "Pipeline demo failed at 2026-01-15 12:00:00 UTC, after 10 s." in body
    assert "  ValueError: no data" in body and "\x1b" not in body
    assert f"Look: https://flow.example.org/ui/runs/{run.id}" in body
    assert f"fastflow runs logs {run.id[-8:]}" in body
    (row,) = desk.outbox()
    assert (row.state, row.why, row.sent_at, row.attempts) == (State.SENT, "sent", desk.clock.now(), 1)
    assert desk.deliver() == 0
    assert desk.room.channels.get("ops", actor=OPERATOR).last_sent_at == desk.clock.now()


def test_delivery_when_the_channel_fails_then_it_is_tried_again_with_growing_pauses_and_given_up(desk: Desk) -> None:
    desk.channel()
    desk.rule()
    desk.sender.refuse = lambda _url: "mailto: connection refused"
    for _ in range(3):
        desk.end()
        desk.clock.advance(1)
        for _ in range(MAX_ATTEMPTS + 2):
            desk.deliver()
            waiting = [one for one in desk.outbox() if one.state is State.WAITING]
            if not waiting:
                break
            assert "attempt" in waiting[0].why
            desk.clock.set(max(desk.clock.now(), *(one.not_before for one in waiting)))
    assert desk.states() == ["failed"] * 3
    assert all(one.attempts == MAX_ATTEMPTS for one in desk.outbox())
    assert desk.outbox()[0].why == f"given up after {MAX_ATTEMPTS} attempts: mailto: connection refused"
    channel = desk.room.channels.get("ops", actor=OPERATOR)
    assert channel.is_dead and channel.last_error == "mailto: connection refused"


@ONE
def test_delivery_when_one_of_two_addresses_fails_then_the_other_gets_it_once(desk: Desk) -> None:
    desk.channel("ops", "json://first.example.org", "json://second.example.org")
    desk.rule()
    desk.sender.refuse = lambda url: "away" if "second" in url else None
    desk.end()
    desk.deliver()
    desk.sender.refuse = lambda _url: None
    desk.clock.advance(60)
    desk.deliver()
    assert [sent.urls for sent in desk.sender.sent] == [("json://first.example.org",), ("json://second.example.org",)]
    assert desk.states() == ["sent"]


def test_equal_failures_when_they_come_within_the_window_then_the_rest_is_one_message(desk: Desk) -> None:
    desk.channel(group_window=300.0)
    desk.rule()
    for _ in range(4):
        desk.end()
        desk.deliver()
        desk.clock.advance(10)
    assert len(desk.sender.sent) == 1
    assert "waits for more of the same" in desk.outbox()[-1].why
    desk.clock.advance(300)
    assert desk.deliver() == 1
    assert desk.sender.titles == ["[FAILED] demo: exit code 3", "[3 x FAILED] demo"]
    assert desk.states() == ["sent"] * 4
    assert len({one.message_id for one in desk.outbox()}) == 2


def test_recovery_when_failures_wait_to_be_grouped_then_they_go_before_it_in_one_message(desk: Desk) -> None:
    desk.channel(group_window=300.0)
    desk.rule("failure", "recovery")
    for _ in range(3):
        desk.end()
        desk.deliver()
        desk.clock.advance(10)
    desk.end("SUCCESS")
    assert desk.deliver() == 1
    assert desk.sender.titles == ["[FAILED] demo: exit code 3", "[2 x FAILED, 1 x RECOVERED] demo"]
    lines = [line for line in desk.sender.sent[-1].message.body.splitlines() if " UTC  [" in line]
    assert ["RECOVERED" in line for line in lines] == [False, False, True]
    desk.clock.advance(300)
    assert desk.deliver() == 0 and desk.states() == ["sent"] * 4


@ONE
def test_recovery_when_its_failure_is_being_sent_then_it_waits_for_it(desk: Desk) -> None:
    desk.channel()
    desk.rule("failure", "recovery")
    desk.end()
    worker = SqlOutbox(desk.database, owner="another")
    (batch,) = worker.claim(desk.clock.now(), limit=10)
    desk.end("SUCCESS")
    assert desk.deliver() == 0
    assert desk.outbox()[-1].why == "waits until what it ends was sent"
    (alert,) = worker.load_alerts(batch)
    worker.settle(
        batch, compose(alert, Surroundings(lines=(), url=None)), Delivery(delivered=(), problem=None), desk.clock.now()
    )
    desk.clock.advance(3)
    assert desk.deliver() == 1 and desk.sender.titles[-1].startswith("[RECOVERED] demo")


@ONE
def test_different_failures_when_they_come_together_then_each_is_told(desk: Desk) -> None:
    desk.channel()
    desk.rule()
    desk.end()
    desk.end("FAILED", reason="oom", reason_text="out of memory")
    assert desk.deliver() == 2


@ONE
def test_quiet_hours_when_they_end_then_what_came_is_summarised_and_the_grave_has_come_at_once(desk: Desk) -> None:
    desk.at(datetime(2026, 1, 15, 22, 30, tzinfo=UTC))  # 23:30 in Berlin
    quiet = QuietHours(start="22:00", end="07:00", timezone="Europe/Berlin")
    desk.channel(quiet=(quiet,), group_window=0.0)
    desk.rule("failure", severity="warning")
    desk.pipelines.add("other")
    desk.rule("failure", pipeline_name="other", severity="critical")
    desk.end()
    desk.end("FAILED", reason="oom", reason_text="out of memory")
    desk.end(pipeline_name="other")
    assert desk.deliver() == 1
    assert desk.sender.titles == ["[FAILED] other: exit code 3"]
    assert "quiet hours of ops until 2026-01-16 06:00 UTC" in desk.outbox()[0].why
    desk.at(datetime(2026, 1, 16, 5, 59, tzinfo=UTC))
    assert desk.deliver() == 0
    desk.at(datetime(2026, 1, 16, 6, 0, tzinfo=UTC))
    assert desk.deliver() == 1
    assert desk.sender.titles[-1] == "[2 x FAILED] demo"
    assert "2 alerts came in quiet hours." in desk.sender.sent[-1].message.body


@ONE
def test_quiet_hours_when_lifted_then_what_they_held_back_goes_at_once(desk: Desk) -> None:
    desk.at(datetime(2026, 1, 15, 22, 30, tzinfo=UTC))
    desk.channel(quiet=(QuietHours(start="22:00", end="07:00", timezone="Europe/Berlin"),))
    desk.rule("failure", severity="warning")
    desk.end()
    assert desk.deliver() == 0
    desk.room.channels.change("ops", None, {"is_enabled": True}, actor=ADMIN)
    assert desk.deliver() == 0
    assert "quiet hours of ops" in desk.outbox()[0].why
    desk.room.channels.change("ops", None, {"quiet": ()}, actor=ADMIN)
    assert "was changed" in desk.outbox()[0].why
    assert desk.deliver() == 1
    assert desk.states() == ["sent"]


def test_worker_when_killed_between_claim_and_outcome_then_another_sends_after_the_lease(
    desk: Desk, database_url: str, desk_of: Callable[[Database], Desk]
) -> None:
    desk.channel()
    desk.rule()
    desk.end()
    (lost,) = desk.worker("host-1/1").claim()
    with closing(Database(database_url)) as other:
        second = desk_of(other)
        assert second.deliver("host-2/1") == 0
        desk.clock.advance(LEASE + timedelta(seconds=1))
        assert second.deliver("host-2/1") == 1
        assert len(second.sender.sent) == 1
    desk.worker("host-1/1").deliver(lost)  # not dead after all: at least once, never a second outcome
    assert [one.message_id is not None for one in desk.outbox()] == [True]
    assert desk.states() == ["sent"]


@ONE
def test_lease_when_written_by_a_clock_that_was_ahead_then_nobody_waits_for_it(desk: Desk) -> None:
    desk.channel()
    desk.rule()
    desk.end()
    now = desk.clock.now()
    desk.at(now + timedelta(days=2))
    assert len(desk.worker("host-1/1").claim()) == 1
    desk.at(now + timedelta(seconds=5))
    assert desk.deliver("host-1/2") == 1


@ONE
def test_channel_when_gone_or_switched_off_then_the_outbox_says_so(desk: Desk) -> None:
    desk.channel()
    desk.channel("other")
    desk.rule("failure", channels=("ops", "other"))
    desk.room.channels.delete("ops", actor=ADMIN, force=True)
    desk.room.channels.change("other", None, {"is_enabled": False}, actor=ADMIN)
    desk.end()
    assert desk.deliver() == 0
    told = {one.channel: (one.state.value, one.why) for one in desk.outbox()}
    assert told["ops"] == ("failed", "There is no channel 'ops'.")
    assert told["other"] == ("dropped", "The channel other is switched off.")


@ONE
def test_alert_when_nobody_acknowledges_it_then_it_is_told_again_until_somebody_does(desk: Desk) -> None:
    desk.channel(group_window=0.0)
    desk.rule("failure", repeat_every=600.0)
    desk.end()
    desk.deliver()
    for _ in range(2):
        desk.clock.advance(601)
        desk.watcher.look()
        desk.deliver()
    assert len(desk.sender.sent) == 3
    assert "Told again, for the 2nd time" in desk.sender.sent[-1].message.body
    (alert,) = desk.alerts()
    desk.room.alerts.acknowledge(alert.id, actor=OPERATOR)
    desk.clock.advance(6000)
    desk.watcher.look()
    assert desk.deliver() == 0
    assert desk.alerts()[0].acknowledged_by == "user:olga"


@ONE
def test_outbox_when_nothing_is_due_then_no_write_lock_is_asked_for(desk: Desk) -> None:
    desk.channel()
    desk.rule()
    desk.end()
    with desk.database.write():
        assert SqlOutbox(desk.database, owner="x").claim(desk.clock.now() - timedelta(seconds=1), limit=10) == ()


@ONE
def test_alerts_when_old_then_they_are_forgotten_with_what_was_sent(desk: Desk) -> None:
    desk.channel()
    desk.rule()
    desk.end()
    desk.deliver()
    assert desk.sights.forget(desk.clock.now()) == 0
    assert desk.sights.forget(desk.clock.now() + timedelta(seconds=1)) == 1
    assert not desk.alerts() and not desk.outbox()
