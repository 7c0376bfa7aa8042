"""Every command, through the same app that a server serves, inside this process."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from fastflow import __version__
from fastflow.bootstrap import Product, build_product, open_product
from fastflow.cli.access import Access
from fastflow.cli.app import app
from fastflow.cli.client import Api, open_remote, part
from fastflow.cli.errors import WrongUsage
from fastflow.cli.in_process import mount
from fastflow.kit.identity import Actor, Role
from fastflow.settings import Settings

Run = Callable[..., Result]
ME = Actor(name="user:tester", role=Role.ADMIN)


@pytest.fixture
def product(settings: Settings, sqlite_template: Path, pipelines_dir: Path) -> Iterator[Product]:
    (settings.data_dir / "fastflow.db").write_bytes(sqlite_template.read_bytes())
    (pipelines_dir / "hello.py").write_text(
        '# /// script\n# [tool.fastflow]\n# description = "Says hello"\n# [tool.fastflow.params.properties.COUNT]\n'
        '# type = "integer"\n# default = 1\n# ///\nprint("hello")\n'
    )
    built = build_product(settings)
    yield built
    built.close()


@pytest.fixture
def run(product: Product) -> Run:
    """Runs one command to its end, on a product of its own, as every process has one."""

    def invoke(*arguments: str, input: str | None = None) -> Result:  # noqa: A002 - as CliRunner names it
        own = open_product(product.settings)
        try:
            return CliRunner().invoke(app, arguments, input=input, obj=Access(connect=lambda: mount(own)))
        finally:
            own.close()

    return invoke


def output_of(result: Result) -> str:
    assert result.exit_code == 0, result.output
    return result.stdout


def json_of(result: Result) -> Any:
    return json.loads(output_of(result))


def submit(product: Product, **values: Any) -> str:
    return product.runs.submit("hello", values, actor=ME).id


# --- runs ------------------------------------------------------------------------------------------------------------


def test_runs_list_when_there_are_more_than_asked_for_then_it_tells_where_they_go_on(
    product: Product, run: Run
) -> None:
    ids = [submit(product, COUNT=number) for number in range(3)]
    first = run("runs", "list", "--limit", "2", "--pipeline", "hello")
    assert [line.split()[0] for line in output_of(first).splitlines()] == ["ID", ids[2][-8:], ids[1][-8:]]
    cursor = first.stderr.split("--cursor ")[1].strip()
    page = json_of(run("runs", "list", "--json", "--cursor", cursor, "--status", "pending"))
    assert ([item["id"] for item in page["items"]], page["next_cursor"]) == ([ids[0]], None)


def test_runs_list_when_there_are_none_then_stdout_is_empty(run: Run) -> None:
    result = run("runs", "list")
    assert (output_of(result), result.stderr) == ("", "No runs.\n")


def test_lists_when_the_filter_names_no_pipeline_then_each_says_so(run: Run, pipelines_dir: Path) -> None:
    for words in ("alerts list", "alerts rules", "webhooks list", "flows list", "backfill list"):
        refused = run(*words.split(), "--pipeline", "helo")
        assert refused.exit_code != 0 and "Did you mean 'hello'?" in refused.stderr, (words, refused.stderr)
        assert run(*words.split(), "--pipeline", "hello").exit_code == 0


@pytest.mark.parametrize("command", ["runs", "schedules", "failures", "dead-letters"])
def test_list_when_the_filter_names_no_pipeline_then_it_says_so_unless_runs_of_a_removed_one_are_there(
    run: Run, product: Product, pipelines_dir: Path, command: str
) -> None:
    refused = run(command, "list", "--pipeline", "helo")
    assert refused.exit_code != 0 and "Did you mean 'hello'?" in refused.stderr, refused.stderr
    assert run(command, "list", "--pipeline", "hello").exit_code == 0
    submit(product)
    for path in pipelines_dir.glob("hello*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    gone = run(command, "list", "--pipeline", "hello")
    assert gone.exit_code == 0, gone.stderr


def test_runs_show_when_given_an_id_then_the_run_is_told(product: Product, run: Run) -> None:
    run_id = submit(product, COUNT=2)
    shown = output_of(run("runs", "show", run_id))
    assert run_id in shown
    assert "COUNT=2" in shown
    for reference in (run_id[-8:], run_id[-6:].upper(), "last", "last:hello"):
        assert output_of(run("runs", "show", reference)) == shown
    assert json_of(run("runs", "show", run_id, "--json"))["status"] == "PENDING"


def test_runs_priority_explain_cancel_when_a_run_waits_then_each_does_its_part(product: Product, run: Run) -> None:
    run_id = submit(product)
    assert "priority 7" in output_of(run("runs", "priority", run_id, "7"))
    explained = output_of(run("runs", "explain", run_id))
    assert "start `fastflow serve`" in explained and explained.endswith(".\n")
    assert json_of(run("runs", "explain", run_id, "--json"))["code"] == "runner_away"
    assert "is cancelled" in output_of(run("runs", "cancel", run_id, "--reason", "wrong month"))
    again = run("runs", "cancel", run_id)
    assert (again.exit_code, again.stdout) == (1, "")
    assert again.stderr.startswith("Error: Run ")
    assert "\nHint: " in again.stderr


def test_runs_rerun_and_diff_when_nothing_changed_then_there_are_no_differences(product: Product, run: Run) -> None:
    run_id = submit(product, COUNT=2)
    again = output_of(run("runs", "rerun", run_id)).strip()
    same = run("runs", "diff", run_id, again)
    assert output_of(same).startswith("Nothing differs. Compared: pipeline, parameters, code, environment, ")
    assert same.stderr.startswith(f"A  {run_id}  hello  PENDING, submitted ")
    other = submit(product, COUNT=3)
    assert "params.COUNT" in output_of(run("runs", "diff", run_id, other))
    assert [each["field"] for each in json_of(run("runs", "diff", run_id, other, "--json"))["differences"]] == [
        "params.COUNT"
    ]


def test_runs_diff_when_the_code_changed_then_the_files_are_named(
    product: Product, run: Run, pipelines_dir: Path
) -> None:
    before = submit(product)
    path = pipelines_dir / "hello.py"
    path.write_text(path.read_text() + "print('more')\n")
    after = submit(product)
    out = output_of(run("runs", "diff", before, after))
    assert out.startswith("code: 1 file differs\n  hello.py: +1 -0 lines\n")
    assert "tree_hash" not in out


def test_runs_artifacts_when_the_run_left_none_then_stdout_is_empty(product: Product, run: Run) -> None:
    run_id = submit(product)
    result = run("runs", "artifacts", run_id)
    assert (output_of(result), "No artifacts" in result.stderr) == ("", True)
    assert json_of(run("runs", "artifacts", run_id, "--json"))["items"] == []


def test_runs_rerun_when_followed_as_json_then_it_is_wrong_usage(product: Product, run: Run) -> None:
    assert run("runs", "rerun", submit(product), "--follow", "--json").exit_code == 2


def test_runs_logs_when_the_run_has_a_log_then_its_bytes_come_out_as_they_are(product: Product, run: Run) -> None:
    run_id = submit(product)
    head = b"2026-11-21T04:35:18.123456789Z stdout F "
    (product.settings.logs_dir / f"{run_id}.log").write_bytes(head + b"caf\xe9\n" + head + b"tea\n")
    assert run("runs", "logs", run_id).stdout_bytes == b"caf\xe9\ntea\n"
    assert run("runs", "logs", run_id, "--tail", "1").stdout_bytes == b"tea\n"
    assert run("runs", "logs", run_id, "--grep", "caf", "--times").stdout_bytes == head + b"caf\xe9\n"
    product.runs.cancel(run_id, actor=ME)
    followed = run("runs", "logs", run_id, "-f", "--grep", "tea")
    assert (followed.stdout_bytes, followed.stderr) == (b"tea\n", "[fastflow] the run failed: cancelled\n")


@pytest.mark.parametrize(
    "arguments",
    [("show",), ("logs",), ("logs", "-f"), ("cancel",), ("explain",), ("rerun",), ("rerun", "--exact")],
)
def test_runs_when_the_id_is_unknown_or_none_then_the_error_names_it(run: Run, arguments: tuple[str, ...]) -> None:
    for run_id in ("019a6c1e-7d4b-7cc0-8000-3f2a1b0c9d8e", "../../etc/passwd"):
        result = run("runs", *arguments, run_id)
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr.startswith("Error: ")
        assert "Traceback" not in result.stderr


def test_run_when_it_is_detached_then_the_id_stands_alone_on_stdout(product: Product, run: Run) -> None:
    run_id = output_of(run("run", "hello", "-p", "COUNT=5", "--timeout", "2m", "--priority", "3", "--detach")).strip()
    submitted = product.runs.get(run_id, actor=ME)
    assert (submitted.params, submitted.priority, submitted.trigger) == ({"COUNT": 5}, 3, "cli")
    assert submitted.capsule["timeouts"]["run"] == 120.0


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("nothing",), 1, "There is no pipeline 'nothing'."),
        (("hello", "-p", "COUNT=many"), 1, "params.COUNT: 'many' is not a whole number"),
        (("hello", "-p", "CUONT=1"), 1, "params.CUONT"),
        (("hello", "-p", "COUNT"), 2, "is not KEY=VALUE"),
        (("hello", "--json-params", "{"), 2, "is not JSON"),
        (("hello", "--timeout", "soon"), 1, "is not a duration"),
        (("hello", "--priority", "high"), 2, "priority"),
    ],
)
def test_run_when_it_is_asked_for_wrongly_then_nothing_is_submitted(
    product: Product, run: Run, arguments: tuple[str, ...], code: int, told: str
) -> None:
    result = run("run", "--detach", *arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert told in result.stderr
    assert product.runs.list(actor=ME).items == []


# --- pipelines -------------------------------------------------------------------------------------------------------


def test_pipelines_when_one_is_broken_then_all_are_listed_and_its_fault_is_told(run: Run, pipelines_dir: Path) -> None:
    (pipelines_dir / "broken.py").write_text("print('a'\n")
    listed = output_of(run("pipelines", "list"))
    assert [line.split()[0] for line in listed.splitlines()] == ["NAME", "broken", "hello", "cf", "churn", "cox"]
    shown = output_of(run("pipelines", "show", "hello"))
    assert "Says hello" in shown
    assert "COUNT" in shown
    assert "broken.py:1" in output_of(run("pipelines", "show", "broken"))
    assert json_of(run("pipelines", "show", "hello", "--json"))["params_schema"]["properties"]["COUNT"]["default"] == 1


def test_pipelines_check_when_there_are_faults_then_each_has_its_place_and_the_exit_code_is_1(
    run: Run, pipelines_dir: Path
) -> None:
    good = run("pipelines", "check", "--pipelines", str(pipelines_dir))
    assert (good.exit_code, good.stdout, good.stderr) == (0, "", "0 errors, 0 warnings.\n")
    (pipelines_dir / "broken").mkdir()
    (pipelines_dir / "broken" / "main.py").write_text("x = 1\nprint('a'\n")
    bad = run("pipelines", "check", "--pipelines", str(pipelines_dir))
    assert bad.exit_code == 1
    assert bad.stdout.startswith("broken/main.py:2:6: error: ")
    assert bad.stdout.rstrip().endswith(")")
    assert run("pipelines", "check", "hello", "--pipelines", str(pipelines_dir)).exit_code == 0
    faults = run("pipelines", "check", "broken", "--json", "--pipelines", str(pipelines_dir))
    assert [fault["line"] for fault in json.loads(faults.stdout)["items"]] == [2]
    for name in ("shared", "data"):
        (pipelines_dir / name).mkdir()
    (pipelines_dir / "shared" / "etl.py").write_text("")
    noted = run("pipelines", "check", "hello", "shared", "--pipelines", str(pipelines_dir))
    assert noted.stderr.startswith("Note: shared/ has no main.py, so it is no pipeline")
    assert "data" not in noted.stderr
    unknown = run("pipelines", "check", "nothing", "--pipelines", str(pipelines_dir))
    assert (unknown.exit_code, unknown.stdout) == (1, "")


# --- administration --------------------------------------------------------------------------------------------------


def test_secrets_when_set_listed_and_removed_then_no_value_is_shown(run: Run, pipelines_dir: Path) -> None:
    assert (
        output_of(run("secrets", "set", "DB_PASSWORD", input="hunter2-hunter2\n"))
        == "DB_PASSWORD is set (version 1).\n"
    )
    changed = run("secrets", "set", "DB_PASSWORD", "--value", "another-secret", "--pipeline", "hello")
    assert output_of(changed) == "DB_PASSWORD is set (version 2).\n"
    output_of(run("secrets", "set", "CITY", "--value", "Ulm", "--parameter"))
    listed = output_of(run("secrets", "list")) + json.dumps(json_of(run("secrets", "list", "--json")))
    assert "hunter2" not in listed
    assert "another" not in listed
    assert "Ulm" in listed
    assert "0 of 3" in output_of(run("secrets", "rotate"))
    (pipelines_dir / "reads.py").write_text(
        '# /// script\n# [tool.fastflow]\n# secrets = ["DB_PASSWORD"]\n# ///\nprint("hello")\n'
    )
    refused = run("secrets", "rm", "DB_PASSWORD", input="n\n")
    assert refused.exit_code == 1 and "removed" not in refused.stdout
    assert refused.stderr.startswith(
        "DB_PASSWORD goes with all its 2 versions; these pipelines ask for it: reads. "
        "Runs that had it cannot be repeated exactly any more.\nRemove DB_PASSWORD? [y/N]:"
    )
    assert output_of(run("secrets", "rm", "CITY", "--yes")) == "CITY is removed.\n"
    gone = run("secrets", "rm", "CITY")
    assert gone.exit_code == 1 and "Remove" not in gone.stderr, "nobody is asked about what is not there"


def test_secrets_set_when_a_pipeline_is_unknown_then_it_is_set_and_the_near_name_told(run: Run) -> None:
    done = run("secrets", "set", "KEY", "--value", "long-enough", "--pipeline", "helo", "--pipeline", "hello")
    assert output_of(done) == "KEY is set (version 1).\n"
    assert done.stderr.startswith("Warning: there is no pipeline 'helo' now. Did you mean 'hello'? ")
    assert done.stderr.count("\n") == 1


def test_secrets_set_when_the_value_comes_by_stdin_then_one_newline_at_its_end_is_left_away(
    product: Product, run: Run
) -> None:
    output_of(run("secrets", "set", "KEY", input="line one\nline two\n\n"))
    assert product.secrets.reveal("hello", {"KEY": 1}).values == {"KEY": "line one\nline two\n"}


def test_secrets_set_when_only_the_value_changes_then_its_pipelines_stay(product: Product, run: Run) -> None:
    output_of(run("secrets", "set", "KEY", "--value", "first-value", "--pipeline", "hello"))
    output_of(run("secrets", "set", "KEY", "--value", "second-value"))
    assert json_of(run("secrets", "list", "--json"))["items"][0]["pipelines"] == ["hello"]
    output_of(run("secrets", "set", "KEY", "--value", "third-value", "--all-pipelines"))
    assert json_of(run("secrets", "list", "--json"))["items"][0]["pipelines"] is None


def test_secrets_set_when_only_its_pipelines_change_then_its_value_stays(product: Product, run: Run) -> None:
    output_of(run("secrets", "set", "KEY", "--value", "first-value", "--pipeline", "hello"))
    output_of(run("secrets", "set", "KEY", "--keep-value", "--pipeline", "other"))
    secret = json_of(run("secrets", "list", "--json"))["items"][0]
    assert (secret["pipelines"], secret["version"]) == (["other"], 1)
    assert product.secrets.reveal("other", {"KEY": 1}).values == {"KEY": "first-value"}
    assert run("secrets", "set", "KEY", "--keep-value").exit_code == 2
    assert run("secrets", "set", "NEW", "--keep-value", "--server-only").exit_code == 1


def test_users_when_added_and_changed_then_the_password_stands_alone_on_stdout(product: Product, run: Run) -> None:
    product.users.ensure_first_admin()
    password = output_of(run("users", "add", "ada", "--role", "operator")).strip()
    assert len(password) >= 16
    assert output_of(run("users", "set-role", "ada", "viewer")) == "ada is viewer now.\n"
    assert output_of(run("users", "reset-password", "ada")).strip() not in ("", password)
    assert output_of(run("users", "disable", "ada")) == "ada cannot log in any more.\n"
    users = {user["name"]: user for user in json_of(run("users", "list", "--json"))["items"]}
    assert (users["ada"]["role"], users["ada"]["disabled"]) == ("viewer", True)
    assert "disabled" in output_of(run("users", "list"))
    assert output_of(run("users", "disable", "ada", "--undo")) == "ada may log in again.\n"
    unanswered = run("users", "rm", "ada", input="")
    assert unanswered.exit_code == 2 and "Give --yes where nobody can." in unanswered.stderr
    assert output_of(run("users", "rm", "ada", input="y\n")).endswith("ada is removed.\n")
    assert run("users", "rm", "ada", "--yes").exit_code == 1
    weak = run("users", "add", "bob", "--password-stdin", input="short\n")
    assert (weak.exit_code, weak.stdout) == (1, "")
    assert "password" in weak.stderr


def test_tokens_when_created_then_the_token_stands_alone_and_can_be_revoked_by_name(product: Product, run: Run) -> None:
    text = output_of(run("tokens", "create", "ci", "--role", "operator", "--pipeline", "hello", "--expires", "90d"))
    assert text.startswith("ff_")
    assert text.count("\n") == 1
    token = product.tokens.find(text.strip())
    assert token is not None
    assert (token.role, token.pipelines) == (Role.OPERATOR, ("hello",))
    assert "ci" in output_of(run("tokens", "list"))
    output_of(run("tokens", "rm", "ci"))
    assert product.tokens.find(text.strip()) is None
    assert "There is no token 'ci'." in run("tokens", "rm", "ci").stderr
    output_of(run("tokens", "create", "narrow", "--role", "none", "--grant", "operator:hello"))
    output_of(run("tokens", "create", "wide", "--role", "viewer"))
    narrow, wide = sorted(output_of(run("tokens", "list")).splitlines()[1:])
    assert " all " not in narrow and "operator on hello" in narrow and " all " in wide
    second = json_of(run("tokens", "create", "two", "--role", "viewer", "--json"))
    output_of(run("tokens", "rm", second["id"]))


def test_environments_when_there_are_none_then_both_commands_say_so(run: Run) -> None:
    assert run("environments", "list").stderr == "No environments yet.\n"
    assert json_of(run("environments", "gc", "--unused-days", "0", "--json")) == {
        "hashes": [],
        "freed_bytes": 0,
        "dry_run": False,
    }
    assert "would be removed" in run("environments", "gc", "--dry-run").stderr


def test_audit_when_something_was_changed_then_who_did_it_is_told(run: Run) -> None:
    output_of(run("secrets", "set", "CITY", "--value", "Ulm", "--parameter"))
    entries = json_of(run("audit", "list", "--action", "secret.", "--json"))["items"]
    assert entries[0]["actor"].startswith("cli:")
    assert entries[0]["subject"] in output_of(run("audit"))


def test_openapi_when_asked_then_every_command_has_its_path(run: Run) -> None:
    paths = json_of(run("openapi"))["paths"]
    assert {"/runs", "/pipelines/{name}/run", "/secrets", "/tokens", "/audit"} <= set(paths)


def test_pipeline_when_not_found_here_then_the_folder_is_told(run: Run, pipelines_dir: Path) -> None:
    result = run("pipelines", "show", "helo")
    assert result.stderr == (
        f"Error: There is no pipeline 'helo'. Did you mean 'hello'?\n  asked: {pipelines_dir} (PIPELINES_DIR)\n"
        "Hint: `fastflow pipelines list` lists what exists.\n"
    )


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["version"], ["runs", "list", "--help"]])
def test_start_when_nothing_but_words_are_asked_for_then_no_heavy_library_is_loaded(arguments: list[str]) -> None:
    heavy = ("fastapi", "sqlalchemy", "httpx", "uvicorn", "cryptography", "rich", "fastflow.bootstrap")
    code = (
        "import sys\nfrom fastflow.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"assert not [name for name in {heavy!r} if name in sys.modules], sys.modules.keys()"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_command_on_this_machine_when_it_asks_one_room_then_no_other_is_loaded(settings: Settings) -> None:
    code = (
        "import sys\nfrom fastflow.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        "rooms = {name.split('.')[2] for name in sys.modules if name.startswith('fastflow.kernel.')}\n"
        "heavy = [name for name in ('jsonschema', 'alembic', 'uvicorn', 'rich', 'cryptography') if name in sys.modules]\n"
        "print(*sorted(rooms), *heavy, file=sys.stderr)"
    )
    build_product(settings).close()
    environment = {"DATA_DIR": settings.data_dir, "LOGS_DIR": settings.logs_dir, "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [sys.executable, "-c", code, "runs", "list"],
        env={name: str(value) for name, value in environment.items()},
        cwd=settings.data_dir,
        capture_output=True,
        text=True,
        timeout=60,
    )
    loaded = done.stderr.splitlines()[-1]
    assert loaded == "audit db environments executors hashed_folders http locks pipelines runs", done.stderr


def test_version_when_asked_for_as_an_option_then_it_stands_alone() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.stdout) == (0, f"fastflow {__version__}\n")


def test_version_when_asked_for_json_then_both_versions_are_told(run: Run) -> None:
    assert set(json_of(run("version", "--json"))) == {"fastflow", "python"}
    assert output_of(run("version")).startswith("fastflow ")


# --- errors ----------------------------------------------------------------------------------------------------------


def over_network(
    answer: Callable[[httpx.Request], httpx.Response], *arguments: str, url: str = "http://server:8000"
) -> Result:
    def connect() -> Api:
        api = open_remote(url, "ff_token")
        api.client._transport = httpx.MockTransport(answer)
        return api

    return CliRunner().invoke(app, arguments, obj=Access(url=url, connect=connect))


def test_command_when_the_server_is_away_then_the_error_says_where_and_what_to_do() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("Connection refused")

    result = over_network(refuse, "runs", "list")
    assert result.exit_code == 1
    assert result.stderr.startswith(
        "Error: The server at http://server:8000 does not answer: Connection refused.\nHint: "
    )


def test_command_when_the_token_is_refused_then_the_hint_names_the_variable() -> None:
    problem = {"code": "unauthenticated", "detail": "The token is not valid.", "hint": "Log in.", "fields": {}}
    result = over_network(lambda _: httpx.Response(401, json=problem), "runs", "list")
    assert "FASTFLOW_TOKEN" in result.stderr


def test_command_when_something_else_answers_then_it_says_that_it_is_no_server_of_ours() -> None:
    result = over_network(lambda _: httpx.Response(502, text="<html>"), "pipelines", "list")
    assert "status 502" in result.stderr
    assert "FASTFLOW_URL" in result.stderr


def test_command_when_a_page_answers_then_it_says_that_it_is_no_server_of_ours() -> None:
    result = over_network(lambda _: httpx.Response(200, text="<html>"), "runs", "list")
    assert result.stderr == (
        "Error: What answers at http://server:8000 is no Fast-Flow server.\n"
        "Hint: Check that FASTFLOW_URL (or --url) names a Fast-Flow server.\n"
    )


def refuse_below_runs(request: httpx.Request) -> httpx.Response:
    """As a server of ours, in whose address /proxy belongs to a proxy."""
    if request.url.path == "/proxy/health":
        return httpx.Response(200, json={"status": "ok"})
    problem = {"code": "unknown_query_parameter", "detail": "'limit' is no query parameter of this path."}
    return httpx.Response(422 if request.method == "GET" else 404, json=problem)


@pytest.mark.parametrize("arguments", [("runs", "list"), ("run", "hello")])
def test_command_when_the_address_has_a_path_that_is_not_the_api_then_it_is_told_without(
    arguments: tuple[str, ...],
) -> None:
    result = over_network(refuse_below_runs, *arguments, url="http://server:8000/runs")
    assert "What answers at http://server:8000/runs is no Fast-Flow server." in result.stderr
    assert "has the path /runs; most likely it should be without it: http://server:8000\n" in result.stderr


def test_command_when_a_proxy_has_the_path_then_the_server_says_what_is_wrong() -> None:
    result = over_network(refuse_below_runs, "runs", "list", url="http://server:8000/proxy")
    assert "'limit' is no query parameter of this path." in result.stderr


@pytest.mark.parametrize(
    ("page", "server"),
    [
        ("http://server:8000/ui", "http://server:8000"),
        ("http://server:8000/ui/runs/7?tab=log#end", "http://server:8000"),
        ("https://server/proxy/ui/", "https://server/proxy"),
        ("https://server/uixy", "https://server/uixy"),
    ],
)
def test_open_remote_when_the_url_is_a_page_then_its_server_is_meant(page: str, server: str) -> None:
    with open_remote(page, None) as api:
        assert api.server == server


def test_command_when_a_problem_has_fields_and_escapes_then_each_field_is_told_harmlessly() -> None:
    problem = {"code": "x", "detail": "wrong\x1b[2J", "hint": "", "fields": {"params.A": "not a number"}}
    result = over_network(lambda _: httpx.Response(422, json=problem), "runs", "list")
    assert result.stderr == "Error: wrong\ufffd[2J\n  params.A: not a number\n"


@pytest.mark.parametrize("url", ["server:8000", "ftp://server", "http://", "http://[::1"])
def test_open_remote_when_the_url_is_none_then_it_is_a_usage_error(url: str) -> None:
    with pytest.raises(WrongUsage):
        open_remote(url, None)


def test_command_when_debug_is_on_then_the_error_itself_is_raised() -> None:
    result = CliRunner().invoke(app, ["--debug", "--url", "nonsense", "runs", "list"])
    assert isinstance(result.exception, WrongUsage)


@pytest.mark.parametrize("text", ["a/b", "..", ".", "a?b", "ü", "a%2Fb"])
def test_part_when_text_has_any_character_then_it_stays_one_part_of_the_path(text: str) -> None:
    path = httpx.URL("http://server").join(f"/runs/{part(text)}/logs").raw_path.decode()
    assert path.count("/") == 3


def test_help_when_asked_of_every_command_then_it_is_told() -> None:
    for arguments in ([], ["runs"], ["pipelines"], ["environments"], ["secrets"], ["users"], ["tokens"], ["run"]):
        result = CliRunner().invoke(app, [*arguments, "--help"])
        assert (result.exit_code, result.stderr) == (0, "")
