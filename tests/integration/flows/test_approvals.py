"""Approvals: who may decide, what is listed, and who is told that a flow waits and what was decided."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from tests.integration.flows.conftest import OPERATOR, FlowDesk

from fastflow.kernel.flows.domain.approving import find_refusal
from fastflow.kernel.notifications.domain.channel import ChannelSettings
from fastflow.kernel.notifications.domain.outbox import Alert
from fastflow.kernel.notifications.domain.rule import RuleDefinition
from fastflow.kernel.notifications.infra.outbox_store import SqlOutbox
from fastflow.kernel.notifications.service import Deliverer
from fastflow.kernel.notifications.wiring import NotificationsRoom, build_notifications
from fastflow.kit.errors import Forbidden, InvalidInput
from fastflow.kit.identity import Actor, Grant, Role
from fastflow.kit.secret_text import SecretText
from fastflow.testing.notification_doubles import MemoryLogTail, MemorySender, PlainCipher
from fastflow.testing.schedule_doubles import MemoryPipelines

ADMIN = Actor(name="user:ada", role=Role.ADMIN)
VERA = Actor(name="user:vera", role=Role.VIEWER)


class Told:
    """Rules that tell of approvals, and what they told."""

    def __init__(self, desk: FlowDesk) -> None:
        self._desk = desk
        self._sender = MemorySender()
        self.room: NotificationsRoom = build_notifications(
            desk.database,
            pipelines=MemoryPipelines(),
            cipher=PlainCipher(),
            data_dir=desk.folder,
            logs_dir=desk.folder,
            sender=self._sender,
            clock=desk.clock,
        )
        self.room.channels.create(
            "ops", [SecretText("json://example.org/x")], ChannelSettings(group_window=0), actor=ADMIN
        )

    def rule(self, *events: Any, **values: Any) -> None:
        self.room.rules.create(RuleDefinition(channels=("ops",), events=events, **values), actor=ADMIN)

    def alerts(self) -> Sequence[Alert]:
        """Every alert, earliest first."""
        return [view.alert for view in reversed(self.room.alerts.list(actor=ADMIN).items)]

    def send(self) -> list[tuple[str, str]]:
        """Title and text of what is due."""
        before = len(self._sender.sent)
        worker = Deliverer(
            outbox=SqlOutbox(self._desk.database, owner="one"),
            sender=self._sender,
            reveal=self.room.channels.reveal,
            logs=MemoryLogTail(),
            clock=self._desk.clock,
            url="https://flow.example.org",
        )
        for batch in worker.claim():
            worker.deliver(batch)
        return [(sent.message.title, sent.message.body) for sent in self._sender.sent[before:]]


# -- who may decide -----------------------------------------------------------------------------------------------------


def test_approval_when_it_names_a_viewer_then_they_decide_and_an_operator_it_does_not_name_may_not(
    desk: FlowDesk,
) -> None:
    flow = desk.ask(users=["vera"])
    with pytest.raises(Forbidden, match="user:ada may not decide about deploy") as refusal:
        desk.room.flows.decide(flow.flow.id, "deploy", "approve", actor=ADMIN)
    assert refusal.value.hint == "These may: vera."
    desk.room.flows.decide(flow.flow.id, "deploy", "approve", actor=VERA, note="looks right")
    assert [run.pipeline_name for run in desk.active()] == ["deploy"]
    decided = next(step for step in desk.view(flow).steps if step.name == "deploy")
    assert (decided.decision, decided.decided_by, decided.note) == ("approve", "user:vera", "looks right")


def test_approval_when_it_names_somebody_who_may_not_see_the_step_then_they_may_not_decide(desk: FlowDesk) -> None:
    flow = desk.ask(users=["vera"])
    blind = Actor(name="user:vera", role=Role.NONE, grants=[Grant(role=Role.VIEWER, pipelines="build")])
    with pytest.raises(Forbidden, match="no access to the pipeline 'deploy'"):
        desk.room.flows.decide(flow.flow.id, "deploy", "approve", actor=blind)
    assert desk.states(flow)["deploy"] == "APPROVAL"


def test_approval_when_it_names_nobody_then_a_viewer_may_not_decide_and_an_operator_of_the_step_may(
    desk: FlowDesk,
) -> None:
    flow = desk.ask()
    with pytest.raises(Forbidden, match="needs the role operator on the pipeline 'deploy'"):
        desk.room.flows.decide(flow.flow.id, "deploy", "approve", actor=VERA)
    granted = Actor(name="user:vera", role=Role.VIEWER, grants=[Grant(role=Role.OPERATOR, pipelines="deploy")])
    desk.room.flows.decide(flow.flow.id, "deploy", "deny", actor=granted)
    assert desk.states(flow)["deploy"] == "FAILED"


# -- what is listed ----------------------------------------------------------------------------------------------------------


def test_questions_when_several_flows_wait_then_they_are_paged_and_what_is_hidden_or_over_is_left_out(
    desk: FlowDesk,
) -> None:
    first = desk.ask(users=["vera"], note="Right?")
    others = [desk.start("build") for _ in range(2)]
    desk.end_all()
    flows = desk.room.flows
    page = flows.questions(actor=VERA, limit=2)
    rest = flows.questions(actor=VERA, limit=2, cursor=page.next_cursor)
    assert [each.flow_id for each in (*page.items, *rest.items)] == [each.flow.id for each in (first, *others)]
    assert rest.next_cursor is None
    question = page.items[0]
    assert (question.step, question.flow_name, question.note, question.on_timeout) == (
        "deploy", "build", "Right?", "deny",
    )  # fmt: skip
    assert question.expires_at == desk.clock.now() + timedelta(hours=1)
    assert find_refusal(question.step, question.users, VERA) is None
    assert find_refusal(question.step, question.users, OPERATOR) is not None
    of_step = Actor(name="token:ci", role=Role.VIEWER, pipelines=["build"])
    assert flows.questions(actor=of_step).items == []
    of_both = Actor(name="token:ci", role=Role.VIEWER, pipelines=["b*", "deploy"])
    assert len(flows.questions(actor=of_both).items) == 3
    flows.cancel(first.flow.id, actor=OPERATOR)
    flows.decide(others[0].flow.id, "deploy", "deny", actor=VERA)
    assert [each.flow_id for each in flows.questions(actor=VERA).items] == [others[1].flow.id]
    with pytest.raises(InvalidInput):
        flows.questions(actor=VERA, cursor="nonsense")


# -- who is told -------------------------------------------------------------------------------------------------------------


def test_alert_when_a_step_waits_then_it_is_told_once_with_the_way_to_it_and_is_over_with_the_decision(
    desk: FlowDesk,
) -> None:
    told = Told(desk)
    told.rule("approval", "recovery")
    told.rule("failure", name="others")
    flow = desk.ask(users=["vera", "olga"], note="Figures checked?")
    desk.keeper.tick()
    (alert,) = told.alerts()
    assert (alert.event, alert.pipeline_name, alert.flow_id, alert.severity.word, alert.resolved_at) == (
        "approval", "deploy", flow.flow.id, "warning", None,
    )  # fmt: skip
    ((title, text),) = told.send()
    assert title.startswith("[APPROVAL] deploy: waits for approval until 20")
    for line in (
        "Question: Figures checked?",
        "May decide: vera, olga",
        f"Look: https://flow.example.org/ui/flows/{flow.flow.id}",
        f"Next: fastflow flows approve {flow.flow.id[-8:]} deploy",
    ):
        assert line in text
    assert "Without a decision it is denied at" in text
    desk.room.flows.decide(flow.flow.id, "deploy", "approve", actor=VERA, note="yes")
    asked, decided = told.alerts()
    assert asked.resolved_at == desk.clock.now() and decided.event == "recovery"
    ((title, text),) = told.send()
    assert title == "[DECIDED] deploy: approved by user:vera: yes"
    assert "waits no more: approved by user:vera: yes." in text


def test_alert_when_it_is_decided_before_it_was_sent_then_both_go_as_one_message(desk: FlowDesk) -> None:
    told = Told(desk)
    told.rule("approval", "recovery")
    flow = desk.ask()
    desk.room.flows.decide(flow.flow.id, "deploy", "deny", actor=OPERATOR)
    ((title, text),) = told.send()
    assert title == "[1 x APPROVAL, 1 x DECIDED] deploy"
    assert text.index("[APPROVAL]") < text.index("[DECIDED]") and "(over)" in text


@pytest.mark.parametrize(("policy", "word"), [("deny", "denied"), ("approve", "approved")])
def test_alert_when_nobody_decides_then_it_is_over_with_the_timeout(desk: FlowDesk, policy: str, word: str) -> None:
    told = Told(desk)
    told.rule("approval", repeat_every=600.0)
    desk.ask(on_timeout=policy)
    desk.clock.advance(timedelta(hours=1))
    desk.keeper.tick()
    (alert,) = told.alerts()
    assert alert.resolved_at == desk.clock.now() and alert.next_repeat_at is None
    assert alert.facts["outcome"] == f"nobody decided in time, so that it was {word}"


def test_alert_when_the_flow_is_cancelled_or_the_pipeline_removed_then_it_is_over(desk: FlowDesk) -> None:
    told = Told(desk)
    told.rule("approval")
    cancelled = desk.ask()
    removed = desk.start("build")
    desk.end_all()
    desk.room.flows.cancel(cancelled.flow.id, actor=OPERATOR, reason="not needed")
    desk.room.flows.end_removed(["deploy"], actor=ADMIN, why="the pipeline was removed")
    outcomes = {alert.flow_id: alert.facts["outcome"] for alert in told.alerts() if alert.resolved_at is not None}
    assert "cancelled by user:olga: not needed" in str(outcomes[cancelled.flow.id])
    assert outcomes[removed.flow.id] == "the pipeline was removed"


def test_alert_when_the_pipeline_succeeds_in_another_flow_then_it_stays_and_a_rerun_asks_anew(desk: FlowDesk) -> None:
    told = Told(desk)
    told.rule("approval")
    flow = desk.ask()
    desk.end(desk.runs.submit("deploy", {}, actor=OPERATOR))
    assert [alert.resolved_at for alert in told.alerts()] == [None]
    desk.room.flows.decide(flow.flow.id, "deploy", "deny", actor=OPERATOR)
    desk.room.flows.rerun(flow.flow.id, actor=OPERATOR)
    first, second = told.alerts()
    assert first.resolved_at is not None and second.resolved_at is None and first.flow_id == second.flow_id
