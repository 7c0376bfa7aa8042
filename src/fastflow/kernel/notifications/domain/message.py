"""The words of a message: what, since when, likely why, where to look, what to do next."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from fastflow.kernel.notifications.domain.outbox import Alert
from fastflow.kernel.notifications.domain.rule import Event
from fastflow.kernel.schedules.domain.schedule import in_words
from fastflow.kit.ids import short_id
from fastflow.kit.words import counted

MAX_TITLE = 200
MAX_LINES = 15
MAX_LINE = 300
MAX_LISTED = 20
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")


@dataclass(frozen=True, kw_only=True)
class Message:
    """What a channel is given; plain text."""

    title: str
    body: str


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What a message needs beside the alert.

    Attributes:
        lines: the last of the run's log, masked when they were written.
        url: where people reach the server; None: no links are made.
    """

    lines: Sequence[str] = ()
    url: str | None = None


_WORDS: Mapping[Event, str] = {
    "failure": "FAILED",
    "recovery": "RECOVERED",
    "late": "LATE",
    "slow": "SLOW",
    "deadline": "NOT DONE",
    "system": "SYSTEM",
    "crash-loop": "CRASH LOOP",
    "approval": "APPROVAL",
}


def compose(alert: Alert, around: Surroundings, *, repeat: int = 0) -> Message:
    """The message of one alert."""
    what = _TELLERS[alert.event](alert)
    title = f"[{_word(alert)}] {alert.pipeline_name or 'Fast-Flow'}: {what.short}"
    parts = [*what.sentences]
    if _is_over(alert):
        title += " (over)"
        parts.append(f"It is over: {_how_over(alert)} at {alert.resolved_at:%Y-%m-%d %H:%M:%S} UTC.")
    if repeat:
        parts.append(f"Told again, for the {_ordinal(repeat)} time: nobody has acknowledged it.")
    if around.lines:
        parts += ["", "Last lines of its log:", *(f"  {_clean(line)}" for line in around.lines[-MAX_LINES:])]
    parts += ["", *_where(alert, around), *what.next_steps]
    parts.append(f"Acknowledge: fastflow alerts ack {short_id(alert.id)}" if alert.next_repeat_at else "")
    return Message(title=clean_title(title), body="\n".join(parts).strip())


def summarise(alerts: Sequence[Alert], why: str, *, url: str | None = None) -> Message:
    """One message for several alerts.

    Args:
        alerts: at least two, oldest first.
        why: what made them one.
        url: where people reach the server; None: no link is made.
    """
    named = sorted({alert.pipeline_name or "Fast-Flow" for alert in alerts})
    counts = [(word, len(list(some))) for word, some in groupby(sorted(_word(alert) for alert in alerts))]
    told = ", ".join(f"{number} x {word}" for word, number in counts)
    who = named[0] if len(named) == 1 else counted(len(named), "pipeline")
    lines = [
        f"{alert.at:%Y-%m-%d %H:%M:%S} UTC  [{_word(alert)}] {alert.pipeline_name or 'Fast-Flow'}: "
        f"{_clean(_TELLERS[alert.event](alert).short)}"
        + (f"  run {alert.run_id}" if alert.run_id else "")
        + ("  (over)" if _is_over(alert) else "")
        for alert in alerts[:MAX_LISTED]
    ]
    if len(alerts) > MAX_LISTED:
        lines.append(f"… and {len(alerts) - MAX_LISTED} more")
    body = [f"{counted(len(alerts), 'alert')} {why}.", "", *lines, "", "All of them: fastflow alerts list"]
    if url is not None:
        body.append(f"Look: {_page(url, 'alerts')}")
    return Message(title=clean_title(f"[{told}] {who}"), body="\n".join(body))


def _how_over(alert: Alert) -> str:
    if alert.event == "approval":
        return _clean(str(alert.facts.get("outcome") or "it was decided"))
    return "it ended" if alert.event == "crash-loop" else "the pipeline succeeded"


def _is_over(alert: Alert) -> bool:
    return alert.resolved_at is not None and alert.event != "recovery"


def _word(alert: Alert) -> str:
    """What happened, in capitals; of a decision about an approval that."""
    return "DECIDED" if alert.event == "recovery" and alert.facts.get("outcome") else _WORDS[alert.event]


def clean_title(text: str) -> str:
    """One line of printable text."""
    one_line = "".join(letter if letter.isprintable() else " " for letter in _ESCAPES.sub("", text))
    return one_line if len(one_line) <= MAX_TITLE else f"{one_line[: MAX_TITLE - 1]}…"


def _clean(line: str) -> str:
    text = "".join(letter for letter in _ESCAPES.sub("", line) if letter.isprintable() or letter == "\t")
    return text if len(text) <= MAX_LINE else f"{text[: MAX_LINE - 1]}…"


def _where(alert: Alert, around: Surroundings) -> Iterable[str]:
    if alert.run_id is not None:
        yield f"Run: {alert.run_id}"
        if around.url is not None:
            yield f"Look: {_page(around.url, f'runs/{alert.run_id}')}"
    elif alert.flow_id is not None:
        yield f"Flow: {alert.flow_id}"
        if around.url is not None:
            yield f"Look: {_page(around.url, f'flows/{alert.flow_id}')}"
    elif around.url is not None:
        yield f"Look: {_page(around.url, f'alerts/{alert.id}')}"


def _page(url: str, path: str) -> str:
    """Where a browser shows it."""
    return f"{url.rstrip('/')}/ui/{path}"


# --- what each event says -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _Told:
    short: str
    sentences: Sequence[str]
    next_steps: Sequence[str] = ()


def _failure(alert: Alert) -> _Told:
    facts = alert.facts
    why = str(facts.get("reason_text") or facts.get("reason") or "failed")
    sentences = [f"Pipeline {alert.pipeline_name} failed at {_at(facts.get('finished_at'))}{_took(facts)}."]
    if int(facts.get("failures") or 1) > 1:
        since = _at(facts.get("failing_since"))
        sentences.append(f"It is the {_ordinal(int(facts['failures']))} failure in a row, since {since}.")
    sentences.append(f"Why: {_clean(why)}" + _exit_code(facts))
    sentences.append(f"Started by: {facts.get('trigger', 'unknown')}")
    run = short_id(alert.run_id or "")
    steps = [f"Next: fastflow runs logs {run}", f"      fastflow runs rerun {run}   (once the cause is mended)"]
    return _Told(short=_clean(why), sentences=sentences, next_steps=steps)


def _recovery(alert: Alert) -> _Told:
    facts = alert.facts
    if facts.get("outcome"):
        return _decided(alert)
    since = facts.get("failing_since")
    lasted = _between(since, facts.get("finished_at"))
    if facts.get("daemon"):
        told = f"The daemon {alert.pipeline_name} was found stable at {_at(facts.get('finished_at'))}."
        crashed = f"It had crashed {_times(int(facts.get('failures') or 1))} since {_at(since)}."
        return _Told(short=f"runs again{f' after {lasted}' if lasted else ''}", sentences=[told, crashed])
    sentences = [
        f"Pipeline {alert.pipeline_name} succeeded at {_at(facts.get('finished_at'))}{_took(facts)}.",
        f"It had failed {_times(int(facts.get('failures') or 1))} since {_at(since)}"
        + (f", for {lasted}." if lasted else "."),
    ]
    return _Told(short=f"succeeds again{f' after {lasted}' if lasted else ''}", sentences=sentences)


def _decided(alert: Alert) -> _Told:
    facts = alert.facts
    outcome = _clean(str(facts["outcome"]))
    told = f"The step {alert.pipeline_name} of the flow {facts.get('flow')} waits no more: {outcome}."
    return _Told(short=outcome, sentences=[told, *_question(facts)])


def _late(alert: Alert) -> _Told:
    facts = alert.facts
    schedule = str(facts.get("schedule"))
    waited = in_words(float(facts.get("after") or 0))
    sentences = [
        f"The schedule {schedule} was due at {_at(facts.get('due_at'))}; its run had not started {waited} later.",
        f"Why: {_clean(str(facts.get('why') or 'the scheduler has not handled it yet'))}",
    ]
    steps = [f"Next: fastflow schedules ledger {schedule}"]
    if alert.run_id is not None:
        steps.append(f"      fastflow runs explain {short_id(alert.run_id)}")
    else:
        steps.append("      fastflow doctor")
    return _Told(short=f"due at {_at(facts.get('due_at'))}, not started", sentences=sentences, next_steps=steps)


def _slow(alert: Alert) -> _Told:
    facts = alert.facts
    usual, limit = float(facts.get("median") or 0), float(facts.get("limit") or 0)
    sentences = [
        f"A run of {alert.pipeline_name} goes on since {_at(facts.get('started_at'))}, for more than {in_words(limit)}.",
        f"Usual: {in_words(usual)} (median of the last {facts.get('history')} that succeeded).",
    ]
    run = short_id(alert.run_id or "")
    steps = [f"Next: fastflow runs logs -f {run}", f"      fastflow runs cancel {run}"]
    return _Told(
        short=f"runs for more than {in_words(limit)}, usually {in_words(usual)}", sentences=sentences, next_steps=steps
    )


def _deadline(alert: Alert) -> _Told:
    facts = alert.facts
    last, going_on = facts.get("last_success"), facts.get("running")
    by = f"{facts.get('by')} {facts.get('timezone')}"
    sentences = [
        f"Pipeline {alert.pipeline_name} has not succeeded by {by} ({_at(facts.get('deadline'))}).",
        f"Last success: {_at(last) if last else 'never'}.",
    ]
    state = f"a run is going on ({going_on})" if going_on else str(facts.get("last_end") or "no run was started")
    sentences.append(f"Why: {_clean(state)}")
    steps = [f"Next: fastflow runs list --pipeline {alert.pipeline_name}", f"      fastflow run {alert.pipeline_name}"]
    return _Told(
        short=f"no success by {facts.get('by')} {facts.get('timezone')}", sentences=sentences, next_steps=steps
    )


def _system(alert: Alert) -> _Told:
    facts = alert.facts
    text = _clean(str(facts.get("text") or "something is wrong"))
    return _Told(short=text, sentences=[text], next_steps=[f"Next: {facts.get('remedy') or 'fastflow doctor'}"])


def _crash_loop(alert: Alert) -> _Told:
    facts, name = alert.facts, alert.pipeline_name
    crashes = _times(int(facts.get("crashes") or 1))
    sentences = [f"The daemon {name} crashed {crashes} in a row; it is tried again, ever more slowly."]
    if facts.get("last_end"):
        sentences.append(f"Last end: {_clean(str(facts['last_end']))}")
    if facts.get("restarts"):
        sentences.append(f"Restarts within an hour: {facts['restarts']}")
    if facts.get("next_start_at"):
        sentences.append(f"Next try: {_at(facts['next_start_at'])}")
    steps = [f"Next: fastflow daemons show {name}"]
    if alert.run_id is not None:
        steps.append(f"      fastflow runs logs {short_id(alert.run_id)}")
    return _Told(short=f"crashed {crashes} in a row", sentences=sentences, next_steps=steps)


def _approval(alert: Alert) -> _Told:
    facts = alert.facts
    flow, step = short_id(alert.flow_id or ""), alert.pipeline_name
    users = ", ".join(str(user) for user in facts.get("users") or ())
    word = "approved" if facts.get("on_timeout") == "approve" else "denied"
    sentences = [
        f"The flow {facts.get('flow')} waits since {_at(facts.get('asked_at'))} for somebody to approve its step {step}.",
        *_question(facts),
        f"May decide: {_clean(users) or f'every operator of {step}'}",
        f"Without a decision it is {word} at {_at(facts.get('expires_at'))}.",
    ]
    steps = [f"Next: fastflow flows approve {flow} {step}", f"      fastflow flows deny {flow} {step}"]
    return _Told(
        short=f"waits for approval until {_at(facts.get('expires_at'))}", sentences=sentences, next_steps=steps
    )


def _question(facts: Mapping[str, Any]) -> Sequence[str]:
    return [f"Question: {_clean(str(facts['question']))}"] if facts.get("question") else ()


_TELLERS: Mapping[Event, Callable[[Alert], _Told]] = {
    "failure": _failure,
    "recovery": _recovery,
    "late": _late,
    "slow": _slow,
    "deadline": _deadline,
    "system": _system,
    "crash-loop": _crash_loop,
    "approval": _approval,
}


def _at(text: Any) -> str:
    return f"{datetime.fromisoformat(str(text)):%Y-%m-%d %H:%M:%S} UTC" if text else "an unknown time"


def _between(since: Any, until: Any) -> str:
    if not since or not until:
        return ""
    lasted = datetime.fromisoformat(str(until)) - datetime.fromisoformat(str(since))
    return in_words(max(lasted, timedelta(0)).total_seconds())


def _took(facts: Mapping[str, Any]) -> str:
    lasted = _between(facts.get("started_at"), facts.get("finished_at"))
    return f", after {lasted}" if lasted else ""


def _exit_code(facts: Mapping[str, Any]) -> str:
    code = facts.get("exit_code")
    return f" (exit code {code})" if code is not None and str(code) not in str(facts.get("reason_text")) else ""


def _ordinal(number: int) -> str:
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"
