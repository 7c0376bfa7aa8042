"""Read-only SQL over the churn database: what it can, and what it must not."""

import io
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from fastflow.apps.churn.domain.document import Document
from fastflow.apps.churn.errors import SqlRefused, ViewInUse, ViewNotFound
from fastflow.apps.churn.infra.duck_sql import DuckSql
from fastflow.apps.churn.ports import Note
from fastflow.apps.churn.ports_sql import SqlTables, Stop
from fastflow.bootstrap import Product
from fastflow.cli.app import app as commands
from fastflow.kit.errors import Conflict, InvalidInput
from fastflow.kit.identity import SYSTEM, Role
from fastflow.settings import Settings

ClientOf = Callable[..., httpx.AsyncClient]
PANEL = "Kunde,I_TIMEBASE,I_Alive,i_use\na,202401,1,3\na,202402,0,2\n"


@pytest.fixture
def filled(product: Product, tmp_path: Path) -> Product:
    """Two files and an experiment."""
    for number, content in enumerate((PANEL, PANEL.replace("a,", "b,"))):
        path = tmp_path / f"{number}.csv"
        path.write_text(content)
        product.churn.files.ingest(path, name=path.name, actor=SYSTEM)

    def edit(document: Document) -> tuple[Document, Note]:
        record = {
            "experiment_id": 1,
            "experiment_name": "it's",
            "created_at": "2024-01-01",
            "id_files": [1, 2],
            "x": 0.5,
        }
        return document.with_records("experiments", [record]), Note(actor=SYSTEM, action="test.change", subject="x")

    product.churn.store.change(edit)
    return product


def rows(product: Product, query: str) -> list[list[Any]]:
    return [list(row) for row in product.churn.sql.query(query, limit=100, actor=SYSTEM).rows]


ANSWERED: Sequence[tuple[str, list[list[Any]]]] = (
        ("SELECT created_at FROM experiments", [["2024-01-01"]]),
        ("SELECT experiment_name, id_files, x FROM main.experiments -- ; DROP", [["it's", "[1, 2]", 0.5]]),
        ('SELECT /* COPY */ "i_use" FROM rawdata WHERE Kunde = \'b\' ORDER BY 1;', [[2], [3]]),
        ("SELECT id_files, count(*) FROM rawdata GROUP BY 1 ORDER BY 1", [[1, 2], [2, 2]]),
        ("WITH t AS (SELECT 1 AS a) SELECT * FROM t, range(2) ORDER BY 2", [[1, 0], [1, 1]]),
        ("VALUES (1), (2)", [[1], [2]]),
        ("SELECT month_add(202411, 3), month_add(202402, -2), months_between(202411, 202502)", [[202502, 202312, 3]]),
        ("SELECT year_of(202402), month_of(202402), month_date(202402), month_from(DATE '2024-03-05')",
         [[2024, 2, "2024-02-01", 202403]]),
        ("SELECT month_in(202402, 202401, 202403), 'inf'::DOUBLE, 1.50::DECIMAL(4,2), NULL, [1], 'ab'::BLOB",
         [[True, "inf", "1.50", None, "[1]", "6162"]]),
        ("SELECT column_name FROM (DESCRIBE views)", [["name"], ["sql"]]),
)  # fmt: skip


def test_query_when_it_only_reads_then_it_is_answered(filled: Product) -> None:
    for query, wanted in ANSWERED:
        assert rows(filled, query) == wanted, query


FORBIDDEN = (
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM '/etc/passwd'",
    'SELECT * FROM "/etc/passwd"',
    "SELECT (SELECT content FROM read_text('/etc/passwd'))",
    "SELECT 1 WHERE EXISTS (FROM '/etc/passwd')",
    "WITH \"/etc/passwd\" AS (SELECT 1) SELECT * FROM \"/etc/passwd\"",
    "SELECT * FROM (WITH duckdb_views AS (SELECT 1) SELECT 1), duckdb_views",
    "SELECT * FROM glob('/*')",
    "SELECT * FROM query('SELECT 1')",
    "SELECT * FROM query_table('experiments')",
    "SELECT * FROM duckdb_settings()",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM pg_catalog.pg_tables",
    "SELECT * FROM sqlite_master",
    "SELECT * FROM memory.main.experiments",
    "SELECT getenv('HOME')",
    "SELECT current_setting('temp_directory')",
    "COPY experiments TO '/tmp/stolen.csv'",
    "COPY (SELECT 1) TO '/tmp/stolen.csv'",
    "ATTACH '/tmp/x.db'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "PRAGMA version",
    "SET memory_limit = '100GB'",
    "CREATE TABLE t (a INT)",
    "DELETE FROM experiments",
    "EXPORT DATABASE '/tmp/x'",
    "CALL pragma_version()",
    "SELECT 1; SELECT 2",
    "SELECT 1; DROP TABLE experiments",
    "SELECT 1) TO '/tmp/stolen.csv' --",
    "EXPLAIN SELECT 1",
    "SELECT $1",
    "SELECT " + "(" * 20_000 + "1" + ")" * 20_000,
    "",
    "-- nothing",
)  # fmt: skip


def test_query_when_it_is_not_harmless_then_it_is_refused_as_a_query_a_download_and_a_view(
    filled: Product, tmp_path: Path
) -> None:
    sql, out = filled.churn.sql, tmp_path / "out"
    ways: tuple[Callable[[str], object], ...] = (
        lambda query: sql.query(query, limit=10, actor=SYSTEM),
        lambda query: sql.download(query, out, "csv", actor=SYSTEM),
        lambda query: sql.save_view("stolen", query, actor=SYSTEM),
    )
    for query in FORBIDDEN:
        for way in ways:
            with pytest.raises(SqlRefused):
                way(query)
    assert not (tmp_path / "out").exists() and not Path("/tmp/stolen.csv").exists()
    assert rows(filled, "SELECT count(*) FROM experiments") == [[1]]


WRONG = (
    ("SELEC 1", "syntax error", (1, 1)),
    ("SELECT *\nFROM experiments\nWHERE nix = 1", "nix", (3, 7)),
    ("SELECT *\n FROM nix", "There is no table 'nix'", (2, 7)),
    ("SELECT " + "1 + " * 60 + "nix FROM experiments", "nix", (1, 248)),
)


def test_query_when_it_is_wrong_then_line_and_column_are_told(filled: Product) -> None:
    for query, told, place in WRONG:
        with pytest.raises(SqlRefused, match=told) as refused:
            filled.churn.sql.query(query, limit=10, actor=SYSTEM)
        assert (refused.value.extra["line"], refused.value.extra["column"]) == place


def test_query_when_rows_or_cells_are_many_then_the_answer_is_cut_and_says_so(filled: Product) -> None:
    ask = filled.churn.sql.query
    cut = ask("SELECT * FROM (SELECT * FROM range(100000) LIMIT 50000)", limit=10, actor=SYSTEM)
    assert (len(cut.rows), cut.truncated) == (10, True)
    whole = ask("FROM range(10)", limit=10, actor=SYSTEM)
    assert (len(whole.rows), whole.truncated) == (10, False)
    long = ask("SELECT repeat('a', 1000000)", limit=10, actor=SYSTEM)
    assert str(long.rows[0][0]).endswith("a… (1000000 characters)")
    wide = ask("SELECT repeat('a', 10000) FROM range(10000)", limit=10_000, actor=SYSTEM)
    assert wide.truncated and len(wide.rows) == 800


@pytest.fixture
def impatient(filled: Product) -> Iterator[Callable[[str], Any]]:
    engine = DuckSql(filled.settings.data_dir / "churn", seconds=1.0)
    nothing = SqlTables(revision=1, tables={}, views={})
    yield lambda query: engine.query(nothing, query, limit=10)
    engine.close()


@pytest.mark.parametrize(
    "query",
    [
        "WITH RECURSIVE t(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM t) SELECT count(*) FROM t",
        "SELECT count(*) FROM range(1000000) a, range(1000000) b, range(1000000) c",
        "SELECT length(repeat('a', 4000000000))",
    ],
)
def test_query_when_it_never_ends_then_it_is_stopped_and_the_next_one_is_answered(
    impatient: Callable[[str], Any], query: str
) -> None:
    with pytest.raises(SqlRefused, match=r"longer than 1 seconds|more memory|too large|Out of Memory"):
        impatient(query)
    assert impatient("SELECT 1").rows == [[1]]


def test_process_when_nobody_asks_then_it_is_gone(filled: Product) -> None:
    engine = DuckSql(filled.settings.data_dir / "churn", idle_seconds=0.0)
    nothing = SqlTables(revision=1, tables={}, views={})
    engine.query(nothing, "SELECT 1", limit=1)
    idle = engine._idle
    assert idle is not None
    idle.join(10)
    assert engine._process is None and list((filled.settings.data_dir / "churn").glob("sql-*")) == []
    assert engine.query(nothing, "SELECT 2", limit=1).rows == [[2]]
    engine.close()


def test_view_when_saved_then_queries_and_other_views_read_it(filled: Product) -> None:
    sql = filled.churn.sql
    sql.save_view("users", "SELECT DISTINCT Kunde FROM rawdata", actor=SYSTEM)
    sql.save_view("counted", "SELECT count(*) AS n FROM users;", actor=SYSTEM)
    assert rows(filled, "SELECT n FROM counted") == [[2]]
    with pytest.raises(ViewInUse, match="counted"):
        sql.delete_view("users", actor=SYSTEM)
    with pytest.raises(SqlRefused, match=r"no table 'counted'|would read itself"):
        sql.save_view("users", "SELECT n AS Kunde FROM counted", actor=SYSTEM)
    with pytest.raises(SqlRefused, match="no table 'selfish'"):
        sql.save_view("selfish", "SELECT * FROM selfish", actor=SYSTEM)
    with pytest.raises(SqlRefused, match="nix"):
        sql.save_view("wrong", "SELECT nix FROM users", actor=SYSTEM)
    with pytest.raises(InvalidInput):
        sql.save_view("a b", "SELECT 1", actor=SYSTEM)
    for taken in ("rawdata", "Experiments", "customer_risk_profile"):
        with pytest.raises(Conflict):
            sql.save_view(taken, "SELECT 1 AS a", actor=SYSTEM)
    sql.delete_view("counted", actor=SYSTEM)
    sql.delete_view("users", actor=SYSTEM)
    with pytest.raises(ViewNotFound):
        sql.delete_view("users", actor=SYSTEM)


async def test_sql_when_asked_over_the_api_then_rows_schemas_and_files_come(filled: Product, client: ClientOf) -> None:
    async with client(Role.VIEWER) as viewer:
        answer = (
            await viewer.post("/sql/query", json={"query": "SELECT Kunde FROM rawdata ORDER BY 1", "limit": 3})
        ).json()
        assert (answer["rows"], answer["row_count"], answer["truncated"]) == ([["a"], ["a"], ["b"]], 3, True)
        assert answer["columns"][0]["type"] == "VARCHAR" and answer["elapsed_ms"] >= 0
        tables = (await viewer.get("/sql/tables")).json()
        assert {"experiments", "files", "rawdata", "views"} <= {one["name"] for one in tables["tables"]}
        schema = (await viewer.get("/sql/schema/rawdata")).json()
        assert {one["name"] for one in schema["columns"]} >= {"Kunde", "id_files", "source_line"}
        assert (await viewer.get("/sql/schema/nix")).status_code == 404
        query = {"query": "SELECT Kunde, i_use FROM rawdata ORDER BY 1, 2"}
        csv = await viewer.post("/sql/download", json=query)
        assert csv.text == "Kunde,i_use\na,2\na,3\nb,2\nb,3\n"
        parquet = await viewer.post("/sql/download", params={"kind": "parquet"}, json=query)
        assert pq.read_table(io.BytesIO(parquet.content)).num_rows == 4
        refused = await viewer.post("/sql/query", json={"query": "SELECT\n nix FROM files"})
        assert (refused.status_code, refused.json()["line"], refused.json()["column"]) == (422, 2, 2)
        assert (await viewer.post("/sql/views", json={"name": "v", "sql": "SELECT 1"})).status_code == 403
    async with client(Role.OPERATOR) as operator:
        assert (await operator.post("/sql/views", json={"name": "v", "sql": "SELECT 1 AS a"})).status_code == 201
        assert (await operator.get("/sql/views")).json()["items"] == [{"name": "v", "sql": "SELECT 1 AS a"}]
        assert (await operator.delete("/sql/views/v")).status_code == 204
    assert list((filled.settings.data_dir / "churn").glob("download-*")) == []


def test_command_when_used_then_rows_are_shown_printed_and_written(
    filled: Product, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("data_dir", "logs_dir", "pipelines_dir"):
        monkeypatch.setenv(name.upper(), str(getattr(settings, name)))

    def churn(*words: str) -> str:
        done = CliRunner().invoke(commands, ["churn", *words])
        assert done.exit_code == 0, done.output
        return done.stdout

    def run(*words: str) -> str:
        return churn("sql", *words)

    query = "SELECT Kunde, i_use FROM rawdata ORDER BY 1, 2"
    assert "I_USE" in run(query) and "rawdata" in run("--tables")
    assert json.loads(run(query, "--json"))["row_count"] == 4
    assert run(query, "--csv") == "Kunde,i_use\na,2\na,3\nb,2\nb,3\n"
    assert "is written" in run(query, "--parquet", "rows.parquet")
    assert pq.read_table("rows.parquet").num_rows == 4
    Path("twice.sql").write_text("SELECT Kunde, 2 * i_use\nFROM rawdata")
    assert churn("views", "save", "twice", "--file", "twice.sql") == "The view twice is saved.\n"
    assert "SELECT Kunde, 2 * i_use FROM rawdata" in churn("views", "list")
    assert json.loads(run("SELECT count(*) AS n FROM twice", "--json"))["rows"] == [[4]]
    assert churn("views", "delete", "twice") == "The view twice is deleted.\n"
    assert "twice" not in churn("views", "list")


FOREVER = "SELECT sum(a.range * b.range) FROM range(10000000) AS a, range(10000000) AS b"


def test_query_when_stopped_then_it_ends_and_the_next_one_is_answered(filled: Product) -> None:
    stop, told = Stop(), list[SqlRefused]()

    def ask() -> None:
        with pytest.raises(SqlRefused) as refused:
            filled.churn.sql.query(FOREVER, limit=1, actor=SYSTEM, stop=stop)
        told.append(refused.value)

    asking = threading.Thread(target=ask)
    asking.start()
    stop.press()
    asking.join(timeout=20)
    assert [error.message for error in told] == ["The query was stopped."]
    assert rows(filled, "SELECT count(*) FROM rawdata") == [[4]]


def test_refusal_when_the_engine_indents_with_tabs_then_they_are_blanks(filled: Product) -> None:
    with pytest.raises(SqlRefused) as refused:
        rows(filled, "SELECT date_trunc(1, 2, 3)")
    assert "Candidate functions" in refused.value.message and "\t" not in refused.value.message
