"""`fastflow flows …`: pipelines that run after one another, as one thing with one id."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from fastflow.cli.access import AsJson, Cursor, Limit, open_api
from fastflow.cli.output import print_json, printable

app = typer.Typer(help="Pipelines that run after one another, as one thing with one id.", no_args_is_help=True)

Ref = Annotated[str, typer.Argument(metavar="FLOW", help="The id, the end of it, or `last`.", show_default=False)]
StepName = Annotated[str, typer.Argument(metavar="STEP", help="The step: its pipeline's name.", show_default=False)]
Roots = Annotated[
    list[str], typer.Argument(metavar="ROOT...", help="Pipelines that begin the flow.", show_default=False)
]
Note = Annotated[str | None, typer.Option(help="Why; kept with the decision.")]


@app.command("run")
def run_flow(
    ctx: typer.Context,
    roots: Roots,
    params: Annotated[
        list[str] | None,
        typer.Option("--param", "-p", metavar="KEY=VALUE", help="A parameter of the roots; may be repeated."),
    ] = None,
    json_params: Annotated[str | None, typer.Option(metavar="JSON", help="The parameters as a JSON object.")] = None,
    priority: Annotated[int, typer.Option(help="Of every run; higher goes first.")] = 0,
    idempotency_key: Annotated[str | None, typer.Option(help="A second start with it finds the first flow.")] = None,
    as_json: AsJson = False,
) -> None:
    """Begin a flow: the roots, and everything that runs after them. Prints its id."""
    from fastflow.cli.client import part
    from fastflow.cli.params import parse_params

    with open_api(ctx) as api:
        schema = api.get(f"/pipelines/{part(roots[0])}")["params_schema"] if params and len(roots) == 1 else None
        body = {
            "roots": roots,
            "params": parse_params(params or (), json_params, schema),
            "priority": priority,
            "idempotency_key": idempotency_key,
        }
        flow = api.post("/flows", body)
    print_json(flow) if as_json else typer.echo(flow["id"])
    if not as_json:
        typer.echo(printable(flow["text"]), err=True)


@app.command("plan")
def plan_flow(ctx: typer.Context, roots: Roots, as_json: AsJson = False) -> None:
    """What a flow with these roots would be made of. Changes nothing."""
    from fastflow.cli.flow_shapes import print_plan

    with open_api(ctx) as api:
        plan = api.get("/flows/plan", root=roots)
    print_json(plan) if as_json else print_plan(plan["steps"], plan["warnings"])


@app.command("list")
def list_flows(
    ctx: typer.Context,
    status: Annotated[str | None, typer.Option(help="Only RUNNING, SUCCESS or FAILED ones.")] = None,
    pipeline: Annotated[str | None, typer.Option(help="Only flows with a step of this pipeline.")] = None,
    limit: Limit = 20,
    cursor: Cursor = None,
    as_json: AsJson = False,
) -> None:
    """Flows, newest first."""
    list_some(
        ctx, "flows", {"status": status, "pipeline_name": pipeline, "limit": limit, "cursor": cursor}, as_json=as_json
    )


def list_some(ctx: typer.Context, kind: str, query: Mapping[str, Any], *, as_json: bool) -> None:
    """A page of flows or of backfills."""
    from fastflow.cli.flow_shapes import print_flows
    from fastflow.cli.pipeline_refs import require_known
    from fastflow.cli.runs import tell_next

    with open_api(ctx) as api:
        page = api.get(f"/{kind}", **query)
        require_known(api, query["pipeline_name"], page["items"], query["cursor"])
    if as_json:
        print_json(page)
        return
    print_flows(page["items"], empty=f"No {kind}.")
    tell_next(page)


@app.command("show")
def show_flow(ctx: typer.Context, flow: Ref, as_json: AsJson = False) -> None:
    """One flow with its steps as a tree: states, durations, why each is where it is, the critical path."""
    from fastflow.cli.flow_shapes import get_flow, print_flow

    with open_api(ctx) as api:
        found = get_flow(api, flow)
    print_json(found) if as_json else print_flow(found)


@app.command("explain")
def explain_flow(ctx: typer.Context, flow: Ref, as_json: AsJson = False) -> None:
    """Why a flow, and each of its steps, is where it is."""
    from fastflow.cli.client import part
    from fastflow.cli.flow_shapes import find_flow

    with open_api(ctx) as api:
        told = api.get(f"/flows/{part(find_flow(api, flow))}/explain")
    if as_json:
        print_json(told)
        return
    for line in (told["text"], *told["steps"]):
        typer.echo(printable(line))


@app.command("elements")
def list_elements(
    ctx: typer.Context,
    flow: Ref,
    step: StepName,
    state: Annotated[str | None, typer.Option(help="Only WAITING, RUNNING, SUCCESS, FAILED or SKIPPED ones.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    as_json: AsJson = False,
) -> None:
    """The runs of a step of a flow or a backfill, with every attempt, in the order of its list."""
    from fastflow.cli.flow_shapes import find_flow, show_elements

    with open_api(ctx) as api:
        found = find_flow(api, flow, kind="flows or backfills")
        show_elements(api, found, step, state=state, limit=limit, cursor=cursor, as_json=as_json)


@app.command("cancel")
def cancel_flow(
    ctx: typer.Context, flow: Ref, reason: Annotated[str | None, typer.Option(help="Why, for people.")] = None
) -> None:
    """End a flow: nothing more is submitted, and what runs is stopped."""
    change(ctx, flow, "flows", "cancel", {"reason": reason})


@app.command("rerun")
def rerun_flow(
    ctx: typer.Context,
    flow: Ref,
    from_failed: Annotated[
        bool,
        typer.Option("--from-failed", help="Run again what did not succeed and what depends on it; keep the rest."),
    ] = False,
    exact: Annotated[bool, typer.Option("--exact", help="With the code of the flow's beginning.")] = False,
) -> None:
    """Run a flow again from what failed, as a new attempt of the same flow, with the code as it is now."""
    from fastflow.cli.errors import WrongUsage

    if not from_failed:
        raise WrongUsage(
            "It is not said what to run again.",
            hint="Give --from-failed to keep what does not depend on a failed step; `fastflow flows run ROOT` begins a new flow.",
        )
    change(ctx, flow, "flows", "rerun", {"exact": exact})


@app.command("approvals")
def list_approvals(
    ctx: typer.Context,
    mine: Annotated[bool, typer.Option("--mine", help="Only those that you may decide.")] = False,
    limit: Limit = 50,
    cursor: Cursor = None,
    as_json: AsJson = False,
) -> None:
    """What waits for a person, in the order of the flows: the question, who may decide, until when."""
    from fastflow.cli.flow_shapes import print_questions
    from fastflow.cli.runs import tell_next

    with open_api(ctx) as api:
        page = api.get("/flows/approvals", limit=limit, cursor=cursor)
    if mine:
        page = {**page, "items": [one for one in page["items"] if one["may_decide"]]}
    if as_json:
        print_json(page)
        return
    print_questions(page["items"])
    tell_next(page)


@app.command("approve")
def approve(ctx: typer.Context, flow: Ref, step: StepName, note: Note = None) -> None:
    """Let a step that waits for approval run."""
    _decide(ctx, flow, step, "approve", note)


@app.command("deny")
def deny(ctx: typer.Context, flow: Ref, step: StepName, note: Note = None) -> None:
    """Let a step that waits for approval fail."""
    _decide(ctx, flow, step, "deny", note)


def _decide(ctx: typer.Context, flow: str, step: str, decision: str, note: str | None) -> None:
    from fastflow.cli.client import part

    change(ctx, flow, "flows", f"steps/{part(step)}/approval", {"decision": decision, "note": note})


def change(ctx: typer.Context, flow: str, kind: str, deed: str, body: Mapping[str, Any]) -> None:
    """Do something to a flow or a backfill, and tell where it is then."""
    from fastflow.cli.client import part
    from fastflow.cli.flow_shapes import find_flow

    with open_api(ctx) as api:
        after = api.post(f"/{kind}/{part(find_flow(api, flow, kind=kind))}/{deed}", body)
    typer.echo(printable(after["text"]))
