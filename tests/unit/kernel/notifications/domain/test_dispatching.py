"""Which notifications go out together, and which wait."""

from datetime import timedelta

from fastflow.kernel.notifications.domain.dispatching import plan_dispatch
from fastflow.testing.clock import START
from fastflow.testing.notification_doubles import make_channel, make_notification

KEY = ("ops", "failure:demo:exit")


def test_group_when_it_was_sent_within_the_window_then_the_next_waits_for_its_end() -> None:
    one = make_notification()
    plan = plan_dispatch([one], {"ops": make_channel()}, {KEY: START - timedelta(seconds=100)}, START)
    assert plan.batches == []
    assert [put_off.until for put_off in plan.postponed] == [START + timedelta(seconds=200)]


def test_group_when_the_clock_went_back_then_nobody_waits_for_the_future() -> None:
    plan = plan_dispatch([make_notification()], {"ops": make_channel()}, {KEY: START + timedelta(days=1)}, START)
    assert len(plan.batches) == 1


def test_group_when_an_attempt_failed_before_then_it_does_not_wait_for_the_window() -> None:
    one = make_notification(attempts=1)
    plan = plan_dispatch([one], {"ops": make_channel()}, {KEY: START}, START)
    assert [batch.notifications for batch in plan.batches] == [[one]]


def test_groups_when_different_then_each_is_a_message() -> None:
    some = [make_notification(), make_notification(), make_notification(group="late:x")]
    plan = plan_dispatch(some, {"ops": make_channel()}, {}, START)
    assert sorted(len(batch.notifications) for batch in plan.batches) == [1, 2]


def test_group_when_the_window_is_nought_then_each_is_a_message() -> None:
    some = [make_notification(), make_notification(attempts=1)]
    plan = plan_dispatch(some, {"ops": make_channel(group_window=0.0)}, {KEY: START}, START)
    assert [len(batch.notifications) for batch in plan.batches] == [1, 1]


def test_held_ones_when_quiet_is_over_then_they_are_one_message_whatever_they_are() -> None:
    some = [make_notification(held=True), make_notification(held=True, group="late:x")]
    plan = plan_dispatch(some, {"ops": make_channel()}, {KEY: START}, START)
    assert [len(batch.notifications) for batch in plan.batches] == [2]


def test_channel_when_unknown_or_off_then_it_is_said() -> None:
    some = [make_notification(), make_notification(channel="nobody")]
    plan = plan_dispatch(some, {"ops": make_channel(is_enabled=False)}, {}, START)
    assert [why for _, why in plan.refused] == ["There is no channel 'nobody'."]
    assert [why for _, why in plan.switched_off] == ["The channel ops is switched off."]
