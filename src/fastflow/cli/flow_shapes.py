"""How people name a flow, and how flows, their trees, their elements and backfills are shown to them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import typer

from fastflow.cli.client import Api, part
from fastflow.cli.output import local_time, print_fields, print_json, print_table, printable
from fastflow.kit.errors import Conflict, InvalidInput, NotFound
from fastflow.kit.ids import SHORTEST_TAIL, short_id
from fastflow.kit.quantities import seconds

_ID = re.compile(r"[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}")
_TAIL = re.compile(rf"[0-9a-fA-F-]{{{SHORTEST_TAIL},36}}")
_LOOKED_THROUGH = 500
_MARKS = {
    "SUCCESS": "ok",
    "FAILED": "FAILED",
    "SKIPPED": "skipped",
    "RUNNING": "running",
    "WAITING": "waits",
    "APPROVAL": "APPROVAL",
}
_HINT = f"Give an id, the last {SHORTEST_TAIL} or more digits of one, or `last`."


def find_flow(api: Api, reference: str, *, kind: str = "flows") -> str:
    """The id of the flow that is meant: by its id, the end of it among the newest, or `last`.

    Args:
        api: where it is.
        reference: as it was typed.
        kind: `flows`, `backfills`, or `flows or backfills`.

    Raises:
        NotFound: there is none.
        Conflict: several ids end like that.
        InvalidInput: the text names none.
    """
    if _ID.fullmatch(reference):
        return reference
    if reference != "last" and not _TAIL.fullmatch(reference):
        raise InvalidInput(f"{reference[:80]!r} names no flow.", code="invalid_id", hint=_HINT)
    limit = 1 if reference == "last" else _LOOKED_THROUGH
    found = {str(one["id"]) for one_kind in kind.split(" or ") for one in api.get(f"/{one_kind}", limit=limit)["items"]}
    ids = sorted(found, reverse=True)  # latest first, as ids begin with their time
    matches = ids[:1] if reference == "last" else [one for one in ids if one.endswith(reference.lower())]
    if not matches:
        told = (
            "There is none yet."
            if reference == "last"
            else f"None of the newest has an id that ends with {reference!r}."
        )
        raise NotFound(told, code="flow_not_found", hint=_HINT)
    if len(matches) > 1:
        raise Conflict(
            f"Several ids end with {reference!r}: {', '.join(matches[:5])}.", code="ambiguous_id", hint=_HINT
        )
    return matches[0]


def print_flows(items: Sequence[Mapping[str, Any]], *, empty: str) -> None:
    """One line for each flow or backfill."""
    print_table(
        items,
        [
            ("id", lambda one: short_id(one["id"])),
            ("name", lambda one: one["name"]),
            ("status", _status),
            ("ended", _progress),
            ("done before", lambda one: one["detail"].get("done_already") or None),
            ("failed", lambda one: one["elements"]["failed"] or None),
            ("attempt", lambda one: one["attempt"] if one["attempt"] > 1 else None),
            ("trigger", lambda one: one["trigger"]),
            ("by", lambda one: one["submitted_by"]),
            ("begun", lambda one: local_time(one["created_at"])),
        ],
        empty=empty,
    )


def print_questions(items: Sequence[Mapping[str, Any]]) -> None:
    """One line for each step that waits for a person."""
    print_table(
        items,
        [
            ("flow", lambda one: short_id(one["flow_id"])),
            ("step", lambda one: one["step"]),
            ("question", lambda one: one["question"] or None),
            ("asked", lambda one: one["asked_at"] and local_time(one["asked_at"])),
            ("until", lambda one: one["expires_at"] and local_time(one["expires_at"])),
            ("then", lambda one: "approved" if one["on_timeout"] == "approve" else "denied"),
            ("who decides", lambda one: ", ".join(one["users"]) or "operators"),
            ("you may", lambda one: "yes" if one["may_decide"] else "no"),
        ],
        empty="Nothing waits for approval.",
    )


def print_flow(flow: Mapping[str, Any]) -> None:
    """The flow with its steps as a tree."""
    print_fields(
        {
            "id": flow["id"],
            flow["kind"]: flow["name"],
            "status": _status(flow) if flow["attempt"] == 1 else f"{_status(flow)} (attempt {flow['attempt']})",
            "parameters": flow["params"],
            "begun": f"{local_time(flow['created_at'])} by {flow['submitted_by']} ({flow['trigger']})",
            "ended": flow["finished_at"] and local_time(flow["finished_at"]),
        }
    )
    typer.echo(printable(flow["text"]))
    typer.echo()
    has_path = len(flow["critical_path"]) > 1
    for line in draw_tree([step if has_path else {**step, "critical": False} for step in flow["steps"]]):
        typer.echo(printable(line))
    if has_path:
        path = " -> ".join(flow["critical_path"])
        typer.echo(f"\n* critical path  {printable(path)}  ({seconds(flow['critical_seconds'])})")


def draw_tree(steps: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The steps below their upstreams. One with several upstreams stands below the last of them and names the others;
    `*` marks the critical path."""
    order = {step["name"]: place for place, step in enumerate(steps)}
    below: dict[str | None, list[Mapping[str, Any]]] = {}
    for step in steps:
        upstreams = [name for name in step["upstreams"] if name in order]
        below.setdefault(max(upstreams, key=order.__getitem__, default=None), []).append(step)

    def draw(step: Mapping[str, Any], head: str, indent: str) -> Iterator[str]:
        yield head + _step(step, order)
        children = below.get(step["name"], [])
        for place, child in enumerate(children, start=1):
            is_last = place == len(children)
            yield from draw(child, indent + ("`- " if is_last else "|- "), indent + ("   " if is_last else "|  "))

    for root in below.get(None, []):
        yield from draw(root, "", "")


def _step(step: Mapping[str, Any], order: Mapping[str, int]) -> str:
    known = [name for name in step["upstreams"] if name in order]
    others = [name for name in known if name != max(known, key=order.__getitem__)]
    count = step.get("fan_out") if "state" in step else None
    parts = [
        f"{step['name']}{'*' if step.get('critical') else ''}",
        f"(also after {', '.join(others)})" if others else "",
        f"[{step['join']}]" if step.get("join") not in (None, "all") else "",
        _MARKS.get(step.get("state", ""), ""),
        _ended(count) if count else "",
        seconds(step["duration"]) if step.get("duration") is not None else "",
        f"run {short_id(step['run_id'])}" if step.get("run_id") else "",
        *_planned(step),
    ]
    line = "  ".join(each for each in parts if each)
    needs_words = step.get("state") in ("WAITING", "APPROVAL", "FAILED", "SKIPPED")
    return f"{line}: {step['why']}" if needs_words else line


def _planned(step: Mapping[str, Any]) -> Iterator[str]:
    """What is worth knowing of a step that has not begun."""
    if "state" in step:
        return
    if step["when"]:
        yield f"when {step['when']}"
    if step["fan_out"]:
        yield "a run for each element"
    if step["approval"]:
        yield "asks for approval"


def print_plan(steps: Sequence[Mapping[str, Any]], warnings: Sequence[str] = ()) -> None:
    """What a flow would be made of, as a tree; what it may lack goes to stderr."""
    for line in draw_tree(steps):
        typer.echo(printable(line))
    for warning in warnings:
        typer.echo(printable(f"Warning: {warning}"), err=True)


def show_elements(
    api: Api, flow_id: str, step: str, *, state: str | None, limit: int, cursor: str | None, as_json: bool
) -> None:
    """A page of the elements of a step: one line for each attempt."""
    from fastflow.cli.runs import tell_next

    path = f"/flows/{part(flow_id)}/steps/{part(step)}/elements"
    page = api.get(path, state=state, limit=limit, cursor=cursor)
    if as_json:
        print_json(page)
        return
    print_table(
        page["items"],
        [
            ("element", lambda one: one["element"]),
            ("key", lambda one: one["key"] or None),
            ("attempt", lambda one: one["attempt"]),
            ("state", lambda one: one["state"] if one["is_current"] else f"({one['state']})"),
            ("run", lambda one: one["run_id"] and short_id(one["run_id"])),
            ("why", lambda one: one["why"]),
        ],
        empty="No elements.",
    )
    tell_next(page)


def print_slots(plan: Mapping[str, Any]) -> None:
    """What a backfill would run."""
    from fastflow.kernel.flows.domain.explaining import describe_backfill

    typer.echo(f"{describe_backfill(plan)}; nothing was made.")
    for slot in plan["first"]:
        typer.echo(printable(_slot(slot)))
    if plan["total"] > len(plan["first"]) + len(plan["last"]):
        typer.echo("...")
    for slot in plan["last"]:
        typer.echo(printable(_slot(slot)))


def _slot(slot: Mapping[str, Any]) -> str:
    from fastflow.kernel.runs.domain.params import encode_value

    already = f"  ({slot['already'].replace('_', ' ')} already)" if slot["already"] else ""
    params = "".join(f"  {name}={encode_value(value)}" for name, value in slot["params"].items())
    return f"{slot['key']}{params}{already}"


def get_flow(api: Api, reference: str, *, kind: str = "flows") -> Mapping[str, Any]:
    """The flow that is meant, as the API shows it."""
    found: Mapping[str, Any] = api.get(f"/{kind}/{part(find_flow(api, reference, kind=kind))}")
    return found


def _progress(one: Mapping[str, Any]) -> str:
    if one["kind"] == "backfill":
        return _ended(one["elements"])
    return f"{one['steps_ended']}/{one['steps_total']}"


def _ended(counts: Mapping[str, int]) -> str:
    """What has run, of all; what was never started has not."""
    return f"{counts['success'] + counts['failed']}/{counts['total']}"


def _status(one: Mapping[str, Any]) -> str:
    """The state; of what was cancelled, that it was."""
    was_cancelled = one["status"] == "FAILED" and one.get("cancel_requested_at") is not None
    return "FAILED (cancelled)" if was_cancelled else str(one["status"])
