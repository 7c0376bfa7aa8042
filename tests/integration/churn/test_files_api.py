"""Files over the API and the command line."""

import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from fastflow.bootstrap import Product
from fastflow.cli.app import app as commands
from fastflow.kit.identity import SYSTEM, Role
from fastflow.settings import Settings

ClientOf = Callable[..., httpx.AsyncClient]
PANEL = "Kunde,I_TIMEBASE,I_Alive,i_use\na,202401,1,3\na,202402,0,2\n"
BOUGHT = "customer,date,paid\na,2024-01-15,10\na,2024-03-31,5\n"


async def test_file_when_sent_over_the_api_then_it_is_kept_shown_and_deleted(client: ClientOf) -> None:
    async with client(Role.OPERATOR) as operator, client(Role.VIEWER) as viewer:
        made = await operator.post("/churn/files", params={"name": "p.csv"}, content=PANEL)
        again = await operator.post("/churn/files", params={"name": "q.csv"}, content=PANEL)
        assert (made.status_code, made.headers["location"], again.status_code) == (201, "/churn/files/1", 200)
        assert (again.json()["is_new"], again.json()["file"]["name"]) == (False, "p.csv")
        for path in ("/files", "/churn/files"):
            items = (await viewer.get(path)).json()["items"]
            assert [(one["rows"], one["first_month"], one["last_month"]) for one in items] == [(2, 202401, 202402)]
        rows = (await viewer.get("/churn/files/1/rows", params={"offset": 1})).json()
        assert rows == {
            "columns": ["Kunde", "I_TIMEBASE", "I_Alive", "i_use", "source_line"],
            "rows": [["a", 202402, 0, 2, 3]],
        }
        assert (await viewer.post("/churn/files", content=PANEL)).status_code == 403
        assert (await viewer.delete("/churn/files/1")).status_code == 403
        assert (await operator.delete("/churn/files/1")).status_code == 204
        gone = await viewer.get("/churn/files/1")
    assert (gone.status_code, gone.json()["code"]) == (404, "churn_file_not_found")


async def test_file_when_it_is_faulty_then_the_problem_lists_its_faults(product: Product, client: ClientOf) -> None:
    async with client(Role.OPERATOR) as operator:
        refused = await operator.post("/churn/files", content=PANEL + "b,202513,1,1\n")
    problem = refused.json()
    assert (refused.status_code, problem["code"], problem["fault_count"]) == (422, "churn_ingest_refused", 1)
    assert (problem["faults"][0]["line"], problem["faults"][0]["column"]) == (4, "I_TIMEBASE")
    assert list((product.settings.data_dir / "churn").glob("upload-*")) == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"kind": "transactions"}, "gap_months"),
        ({"kind": "transactions", "gap_months": 3, "dictionary": "{}"}, "dictionary"),
        ({"kind": "transactions", "gap_months": 3, "through": 202413}, "through"),
        ({"gap_months": 3}, "gap_months"),
        ({"amount": "x"}, "amount"),
        ({"dictionary": "{"}, "dictionary"),
        ({"dictionary": '{"a": "B"}'}, "dictionary"),
    ],
)
async def test_file_when_the_query_contradicts_itself_then_the_field_is_named(
    client: ClientOf, query: dict[str, object], field: str
) -> None:
    async with client(Role.OPERATOR) as operator:
        refused = await operator.post("/churn/files", params=query, content=BOUGHT)  # type: ignore[arg-type]  # as urls have it
    assert refused.status_code == 422 and field in refused.json()["fields"]


def test_commands_when_used_then_files_come_and_go(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("data_dir", "logs_dir", "pipelines_dir"):
        monkeypatch.setenv(name.upper(), str(getattr(settings, name)))
    Path("panel.csv").write_text(PANEL)
    Path("bought.csv").write_text(BOUGHT)

    def run(*words: str, code: int = 0) -> str:
        done = CliRunner().invoke(commands, ["churn", *words])
        assert done.exit_code == code, done.output
        return done.stdout

    proposed = run("dictionary", "panel.csv")
    assert json.loads(proposed)["columns"]["i_use"] == {"role": "DYNAMIC_FEATURE", "type": "integer"}
    Path("roles.json").write_text(proposed)
    assert "as the file 1: 2 rows of 1 customer, 202401 to 202402" in run(
        "ingest", "panel.csv", "--dictionary", "roles.json"
    )
    assert "was there already, as the file 1" in run("ingest", "panel.csv")
    made = run("ingest", "bought.csv", "--transactions", "--gap-months", "2", "--amount", "paid")
    assert "as the file 2: 3 rows of 1 customer, 202401 to 202403" in made
    assert "bought.csv" in run("files") and len(json.loads(run("files", "--json"))["items"]) == 2
    run("files", "delete", "2", "--yes")
    assert len(json.loads(run("files", "--json"))["items"]) == 1


async def test_columns_when_asked_then_every_one_has_a_probable_role_though_keys_are_missing(client: ClientOf) -> None:
    async with client(Role.OPERATOR) as operator, client(Role.VIEWER) as viewer:
        found = (await operator.post("/churn/columns", content="kdnr,monat,i_use,town\na,202401,3,Ulm\n")).json()
        assert (await operator.post("/churn/dictionary", content="kdnr,i_use\na,3\n")).status_code == 422
        assert (await viewer.post("/churn/columns", content=PANEL)).status_code == 403
        damaged = await operator.post("/churn/columns", content=b"\xff\xfe")
    assert [(one["name"], one["type"], one["role"]) for one in found["items"]] == [
        ("kdnr", "text", "STATIC_FEATURE"),
        ("monat", "integer", "TIMEBASE"),
        ("i_use", "integer", "DYNAMIC_FEATURE"),
        ("town", "text", "STATIC_FEATURE"),
    ]
    assert damaged.json()["code"] == "churn_ingest_refused"


async def test_summary_when_asked_then_columns_and_months_are_told(product: Product, client: ClientOf) -> None:
    panel = "Kunde,I_TIMEBASE,I_Alive,i_use,region\na,202401,1,3,south\na,202402,0,,south\nb,202401,1,5,north\n"
    async with client(Role.OPERATOR) as operator, client(Role.VIEWER) as viewer:
        assert (await operator.post("/churn/files", params={"name": "p.csv"}, content=panel)).status_code == 201
        found = (await viewer.get("/churn/files/1/summary")).json()
        unknown = await viewer.get("/churn/files/9/summary")
    assert found["months"] == [{"month": 202401, "rows": 2, "dead": 0}, {"month": 202402, "rows": 1, "dead": 1}]
    columns = {one["name"]: one for one in found["columns"]}
    assert list(columns) == ["Kunde", "I_TIMEBASE", "I_Alive", "i_use", "region"]
    assert columns["i_use"] == {
        "name": "i_use", "type": "integer", "missing": 1, "distinct": 2, "least": 3, "most": 5, "mean": 4, "usual": columns["i_use"]["usual"],
    }  # fmt: skip
    assert (columns["region"]["usual"], columns["region"]["mean"], columns["region"]["least"]) == (
        "south",
        None,
        "north",
    )
    assert unknown.status_code == 404
    assert product.churn.files.users(actor=SYSTEM) == {}
