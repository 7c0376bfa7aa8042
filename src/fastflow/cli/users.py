"""`fastflow users …` and `fastflow tokens …`: who may use the server."""

import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from fastflow.cli.access import AsJson, Cursor, Limit, open_api
from fastflow.cli.asking import Yes, confirm
from fastflow.cli.output import local_time, print_json, print_table

app = typer.Typer(help="People who may log in.", no_args_is_help=True)
tokens_app = typer.Typer(help="Bearer tokens for programs.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The user's name.", show_default=False)]
RoleWord = Annotated[str, typer.Argument(metavar="ROLE", help="none, viewer, operator or admin.", show_default=False)]
Pattern = Annotated[
    str,
    typer.Argument(
        metavar="PIPELINES", help="A pipeline's name, or a pattern such as 'billing-*'.", show_default=False
    ),
]
PasswordStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from stdin instead of making one.")
]
_ID = re.compile(r"[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}")


@app.command("list")
def list_users(ctx: typer.Context, limit: Limit = 100, cursor: Cursor = None, as_json: AsJson = False) -> None:
    """Everybody who may log in."""
    from fastflow.cli.runs import tell_next

    with open_api(ctx) as api:
        page = api.get("/users", limit=limit, cursor=cursor)
    if as_json:
        print_json(page)
        return
    print_table(
        page["items"],
        [
            ("name", lambda one: one["name"]),
            ("role", lambda one: one["role"]),
            ("grants", lambda one: _told(one["grants"])),
            ("state", _state),
            ("made", lambda one: local_time(one["created_at"])),
        ],
        empty="No users.",
    )
    tell_next(page)


def _state(user: Any) -> str:
    if user["disabled"]:
        return "disabled"
    return "must change the password" if user["must_change_password"] else "active"


def _told(grants: Any) -> str:
    return ", ".join(f"{grant['role']} on {grant['pipelines']}" for grant in grants)


@app.command("grants")
def list_grants(ctx: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """What a user may do: the role everywhere, and roles on some pipelines."""
    from fastflow.cli.client import part

    with open_api(ctx) as api:
        found = api.get(f"/users/{part(name)}/grants")
    if as_json:
        print_json(found)
        return
    print_table(
        [{"role": found["role"], "pipelines": "all"}, *found["items"]],
        [("role", lambda one: one["role"]), ("pipelines", lambda one: one["pipelines"])],
        empty="",
    )


@app.command("grant")
def grant_role(ctx: typer.Context, name: Name, role: RoleWord, pipelines: Pattern) -> None:
    """Give a user a role on a pipeline, or on all that a pattern stands for: grant ann operator 'billing-*'."""
    from fastflow.cli.client import part

    with open_api(ctx) as api:
        api.put(f"/users/{part(name)}/grants", {"role": role, "pipelines": pipelines})
    typer.echo(f"{name} is {role} on {pipelines} now.")


@app.command("revoke")
def revoke_role(ctx: typer.Context, name: Name, pipelines: Pattern) -> None:
    """Take back what was granted on a pipeline or pattern."""
    from fastflow.cli.client import part

    with open_api(ctx) as api:
        api.delete(f"/users/{part(name)}/grants", pipelines=pipelines)
    typer.echo(f"{name} has no grant on {pipelines} any more.")


@app.command("add")
def add_user(
    ctx: typer.Context,
    name: Name,
    role: Annotated[str, typer.Option(help="none, viewer, operator or admin.")] = "viewer",
    password_stdin: PasswordStdin = False,
) -> None:
    """Add a user. Prints the one-time password, alone on stdout, which has to be replaced at the first login."""
    password = _password(password_stdin)
    with open_api(ctx) as api:
        user = api.post("/users", {"name": name, "role": role, "password": password})
    typer.echo(f"{user['name']} may log in as {user['role']}.", err=True)
    _show_password(password, password_stdin)


@app.command("set-role")
def set_role(ctx: typer.Context, name: Name, role: RoleWord) -> None:
    """Change what a user may do."""
    _change(ctx, name, {"role": role})
    typer.echo(f"{name} is {role} now.")


@app.command("disable")
def disable_user(
    ctx: typer.Context,
    name: Name,
    undo: Annotated[bool, typer.Option("--undo", help="Let the user log in again.")] = False,
) -> None:
    """Keep a user from logging in, and end every session; what they did stays in the audit log."""
    _change(ctx, name, {"disabled": not undo})
    typer.echo(f"{name} may log in again." if undo else f"{name} cannot log in any more.")


@app.command("rm")
def remove_user(ctx: typer.Context, name: Name, yes: Yes = False) -> None:
    """Remove a user and end every session of theirs; what they did stays in the audit log."""
    from fastflow.cli.client import part

    with open_api(ctx) as api:
        api.get(f"/users/{part(name)}/grants")  # nobody is asked about a user whom there is not
        confirm(
            f"{name} is gone for good, with every session and grant; `fastflow users disable` can be undone.",
            f"Remove {name}?",
            yes=yes,
        )
        api.delete(f"/users/{part(name)}")
    typer.echo(f"{name} is removed.")


@app.command("reset-password")
def reset_password(ctx: typer.Context, name: Name, password_stdin: PasswordStdin = False) -> None:
    """Give a user a new one-time password, printed alone on stdout; every session of theirs ends."""
    password = _password(password_stdin)
    _change(ctx, name, {"password": password})
    typer.echo(f"{name} has to replace the password at the next login.", err=True)
    _show_password(password, password_stdin)


def _change(ctx: typer.Context, name: str, change: dict[str, Any]) -> None:
    from fastflow.cli.client import part

    with open_api(ctx) as api:
        api.patch(f"/users/{part(name)}", change)


def _password(from_stdin: bool) -> str:
    import secrets  # with it come the hash libraries, which no other command needs

    return sys.stdin.readline().rstrip("\r\n") if from_stdin else secrets.token_urlsafe(12)


def _show_password(password: str, from_stdin: bool) -> None:
    if not from_stdin:
        typer.echo("One-time password:", err=True)
        typer.echo(password)


@tokens_app.command("list")
def list_tokens(ctx: typer.Context, limit: Limit = 100, cursor: Cursor = None, as_json: AsJson = False) -> None:
    """Every token; never the tokens themselves."""
    from fastflow.cli.runs import tell_next

    with open_api(ctx) as api:
        page = api.get("/tokens", limit=limit, cursor=cursor)
    if as_json:
        print_json(page)
        return
    print_table(
        page["items"],
        [
            ("name", lambda one: one["name"]),
            ("id", lambda one: one["id"]),
            ("role", lambda one: one["role"]),
            ("pipelines", _where_role_holds),
            ("grants", lambda one: _told(one["grants"])),
            ("expires", lambda one: local_time(one["expires_at"]) if one["expires_at"] else "never"),
            ("last used", lambda one: local_time(one["last_used_at"])),
            ("made by", lambda one: one["created_by"]),
        ],
        empty="No tokens.",
    )
    tell_next(page)


def _where_role_holds(token: Mapping[str, Any]) -> Any:
    """Where the token's role holds; one that has none has only what its grants give."""
    if token["pipelines"] is not None:
        return token["pipelines"]
    return None if token["role"] == "none" else "all"


@tokens_app.command("create")
def create_token(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is for.", show_default=False)],
    role: Annotated[str, typer.Option(help="none, viewer, operator or admin.", show_default=False)],
    pipeline: Annotated[
        list[str] | None,
        typer.Option(help="The only pipeline, or pattern, that the role is for; may be repeated.", show_default=False),
    ] = None,
    grant: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ROLE:PIPELINES",
            help="A role on a pipeline or pattern, added to the role: operator:billing-*; may be repeated.",
            show_default=False,
        ),
    ] = None,
    expires: Annotated[
        str | None, typer.Option(help="How long it is valid, such as 90d or 12h; left away: without end.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a token and print it, alone, on stdout: it is shown this once."""
    body = {
        "name": name,
        "role": role,
        "pipelines": pipeline or None,
        "grants": [_grant(text) for text in grant or ()] or None,
        "expires_at": _expiry(expires),
    }
    with open_api(ctx) as api:
        token = api.post("/tokens", body)
    print_json(token) if as_json else typer.echo(token["token"])


def _grant(text: str) -> dict[str, str]:
    from fastflow.kernel.users.domain.accounts import parse_grant

    grant = parse_grant(text, "--grant")
    return {"role": grant.role.word, "pipelines": grant.pipelines}


def _expiry(text: str | None) -> str | None:
    from fastflow.kit.durations import parse_duration

    if text is None:
        return None
    return (datetime.now(UTC) + timedelta(seconds=parse_duration(text, "--expires"))).isoformat()


@tokens_app.command("rm")
def remove_token(
    ctx: typer.Context,
    token: Annotated[str, typer.Argument(metavar="TOKEN", help="The token's name or id.", show_default=False)],
) -> None:
    """Revoke a token: within two seconds no process accepts it any more."""
    from fastflow.cli.client import Api, part
    from fastflow.kit.errors import NotFound

    def find(api: Api) -> str:
        cursor = None
        while True:
            page = api.get("/tokens", limit=500, cursor=cursor)
            for one in page["items"]:
                if one["name"] == token:
                    return str(one["id"])
            cursor = page["next_cursor"]
            if cursor is None:
                break
        raise NotFound(f"There is no token {token!r}.", hint="`fastflow tokens list` shows names and ids.")

    with open_api(ctx) as api:
        api.delete(f"/tokens/{part(token if _ID.fullmatch(token) else find(api))}")
    typer.echo(f"{token} is revoked.")
