"""Files taken into the churn database by the real engine, in its process of its own."""

import gzip
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fastflow.apps.churn.domain.document import Document
from fastflow.apps.churn.domain.files import ChurnRule
from fastflow.apps.churn.errors import DictionariesConflict, FileInUse, FileNotIngested, IngestRefused
from fastflow.apps.churn.method.panel import read_panel, yyyymm
from fastflow.apps.churn.ports import Note
from fastflow.apps.churn.service.files import Ingested
from fastflow.bootstrap import Product
from fastflow.kit.errors import InvalidInput
from fastflow.kit.identity import SYSTEM

HEADER = "Kunde,I_TIMEBASE,I_Alive,i_use,n_rate,region\n"
ROWS = "a,202401,1,3,0.5,north\na,202402,1,2,,north\nb,202401,1,1,0.25,süd\nb,202402,0,0,NaN,süd\n"
DICTIONARY: Mapping[str, Any] = {
    "Kunde": "PRIMARY_KEY",
    "I_TIMEBASE": "TIMEBASE",
    "I_Alive": "TARGET",
    "i_use": {"role": "DYNAMIC_FEATURE", "type": "integer"},
    "n_rate": "DYNAMIC_FEATURE",
    "region": {"role": "STATIC_FEATURE", "type": "text"},
}
IngestOf = Callable[..., Ingested]
CDNOW = Path(__file__).parents[3] / "examples" / "pipelines" / "cdnow_rfm" / "cdnow_master.txt.gz"


@pytest.fixture
def ingest(product: Product, tmp_path: Path) -> IngestOf:
    def take(content: str | bytes, **how: Any) -> Ingested:
        path = tmp_path / "upload"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return product.churn.files.ingest(path, name="some.csv", actor=SYSTEM, **how)

    return take


def rawdata_of(product: Product, file_id: int) -> list[dict[str, Any]]:
    found = product.churn.files.preview(file_id, limit=1000, offset=0, actor=SYSTEM)
    return [dict(zip(found.columns, row, strict=True)) for row in found.rows]


def faults_of(refused: "pytest.ExceptionInfo[IngestRefused]") -> list[tuple[Any, Any, str]]:
    return [(one["line"], one["column"], one["problem"]) for one in refused.value.extra["faults"]]


def test_panel_when_taken_in_then_rows_are_typed_and_know_their_line(product: Product, ingest: IngestOf) -> None:
    done = ingest(HEADER + ROWS, dictionary=DICTIONARY)
    file = done.file
    assert (done.is_new, file.file_id, file.rows, file.customers) == (True, 1, 4, 2)
    assert (file.first_month, file.last_month, file.kind, file.ingested_by) == (202401, 202402, "panel", "system")
    rows = rawdata_of(product, 1)
    assert rows[1] == {
        "Kunde": "a", "I_TIMEBASE": 202402, "I_Alive": 1, "i_use": 2, "n_rate": None, "region": "north", "source_line": 3,
    }  # fmt: skip
    assert [row["n_rate"] for row in rows] == [0.5, None, 0.25, None]
    newest = product.audit.list(limit=1).items[0]
    assert (newest.action, newest.subject, newest.detail["rows"]) == ("churn_file.ingest", "churn_file:1", 4)


def test_panel_when_taken_in_again_then_it_is_the_same_file_and_nothing_is_saved(
    product: Product, ingest: IngestOf
) -> None:
    first = ingest(HEADER + ROWS, dictionary=DICTIONARY)
    revision = product.churn.store.read().revision
    again = ingest(HEADER + ROWS, dictionary={"columns": dict(DICTIONARY)})
    assert (again.is_new, again.file) == (False, first.file)
    assert product.churn.store.read().revision == revision
    other = ingest(HEADER + ROWS, dictionary={**DICTIONARY, "region": "IGNORED"})
    assert (other.is_new, other.file.file_id) == (True, 2)


def test_panel_when_no_dictionary_is_given_then_it_is_guessed_and_kept(product: Product, ingest: IngestOf) -> None:
    done = ingest(HEADER + ROWS)
    roles = {name: said["role"] for name, said in done.file.dictionary["columns"].items()}
    assert (roles["i_use"], roles["n_rate"], roles["region"]) == (
        "DYNAMIC_FEATURE",
        "DYNAMIC_FEATURE",
        "STATIC_FEATURE",
    )


def test_panel_when_columns_are_renamed_and_decimals_have_commas_then_the_panel_has_its_own_names(
    product: Product, ingest: IngestOf
) -> None:
    said = {
        "columns": {
            "kdnr": "PRIMARY_KEY",
            "monat": "TIMEBASE",
            "aktiv": "TARGET",
            "n_rate": {"role": "DYNAMIC_FEATURE", "source": "Quote"},
            "notiz": "IGNORED",
        },
        "decimal": ",",
    }
    ingest('kdnr;monat;aktiv;Quote;notiz\n7;202401;1;"1,5";x\n7;202402;0;2,25;"y;z"\n', dictionary=said)
    rows = rawdata_of(product, 1)
    assert [(row["Kunde"], row["n_rate"], row["source_line"]) for row in rows] == [("7", 1.5, 2), ("7", 2.25, 3)]
    assert "notiz" not in rows[0]


def test_panel_when_cells_hold_line_breaks_and_lines_are_empty_then_lines_are_those_of_the_file(
    product: Product, ingest: IngestOf
) -> None:
    ingest(
        "\ufeff" + HEADER + 'a,202401,1,3,0.5,"no\nrth"\n\na,202402,1,2,1,"no\nrth"\nb,202401,1,1,1,x',
        dictionary=DICTIONARY,
    )
    assert [row["source_line"] for row in rawdata_of(product, 1)] == [2, 5, 7]


def test_panel_when_its_lines_end_as_on_windows_then_it_is_taken_in(product: Product, ingest: IngestOf) -> None:
    ingest((HEADER + ROWS).replace("\n", "\r\n"), dictionary=DICTIONARY)
    assert [(row["region"], row["source_line"]) for row in rawdata_of(product, 1)][2:] == [("süd", 4), ("süd", 5)]


def test_parquet_when_taken_in_then_it_is_the_same_panel(product: Product, ingest: IngestOf, tmp_path: Path) -> None:
    import datetime

    table = pa.table(
        {
            "Kunde": [1, 1],
            "I_TIMEBASE": [datetime.date(2024, 1, 31), datetime.date(2024, 2, 29)],
            "I_Alive": [True, False],
            "i_use": [1.0, float("nan")],
            "n_rate": [1, 2],
            "region": ["x", None],
        }
    )
    pq.write_table(table, tmp_path / "p.parquet")
    ingest((tmp_path / "p.parquet").read_bytes(), dictionary=DICTIONARY)
    assert [tuple(row.values()) for row in rawdata_of(product, 1)] == [
        ("1", 202401, 1, 1, 1.0, "x", 1),
        ("1", 202402, 0, None, 2.0, None, 2),
    ]


FAULTY: Mapping[str, tuple[str | bytes, list[tuple[int | None, str | None, str]]]] = {
    "empty": ("", [(None, None, "empty")]),
    "header alone": (HEADER, [(None, None, "no row")]),
    "missing column": ("Kunde,I_TIMEBASE,I_Alive,i_use,region\na,202401,1,1,x\n", [(1, "n_rate", "no such column")]),
    "unknown column": (
        HEADER.replace("region", "region,extra") + "a,202401,1,1,1,x,y\n",
        [(1, "extra", "does not know")],
    ),
    "column twice": (HEADER.replace("region", "i_use") + ROWS, [(1, "i_use", "two columns")]),
    "wrong byte": (
        HEADER.encode() + b"a,202401,1,1,1,x\nb,202401,1,1,1,s\xfcd\n",
        [(3, "region", "the byte 0xFC at position 78 is not UTF-8; the file is probably Windows-1252 or Latin-1")],
    ),
    "utf-16": ((HEADER + ROWS).encode("utf-16"), [(None, None, "UTF-16")]),
    "zero byte": (HEADER.encode() + b"a,202401,1,1,1,x\0y\n", [(2, "region", "0x00")]),
    "workbook": (b"PK\x03\x04" + b"x" * 100, [(None, None, "Excel")]),
    "line ends of two kinds": (
        HEADER + 'a,202401,1,1,1,"x\r\ny"\na,202402,1,1,1,x\r\n',
        [(4, None, "ends otherwise (LF or CRLF)")],
    ),
    "no parquet": (b"PAR1" + b"x" * 100, [(None, None, "cannot be read")]),
    "type": (
        HEADER + "a,202401,1,many,0.5,x\na,202402,1,1,half,x\n",
        [(2, "i_use", '"many"'), (3, "n_rate", '"half"')],
    ),
    "fraction": (HEADER + "a,202401,1,1.5,0.5,x\n", [(2, "i_use", "1.5 is no whole number")]),
    "short and long lines": (HEADER + "a,202401,1\na,202402,1,1,1,x,y\n", [(2, None, "fewer"), (3, None, "more")]),
    "month 202513": (HEADER + "a,202512,1,1,1,x\na,202513,1,1,1,x\n", [(3, "I_TIMEBASE", '"202513" is no month')]),
    "month with a fraction": (HEADER + "a,202512.7,1,1,1,x\n", [(2, "I_TIMEBASE", "is no month")]),
    "state": (HEADER + "a,202401,2,1,1,x\na,202402,,1,1,x\n", [(2, "I_Alive", '"2"'), (3, "I_Alive", "empty")]),
    "no customer": (HEADER + "a,202401,1,1,1,x\n ,202401,1,1,1,x\n", [(3, "Kunde", "")]),
    "twice": (HEADER + "a,202401,1,1,1,x\na,202401,1,2,1,x\n", [(3, "I_TIMEBASE", "on line 2 already")]),
    "gap": (
        HEADER + "a,202412,1,1,1,x\na,202502,1,2,1,x\n",
        [(3, "I_TIMEBASE", "no row between 202412 (line 2) and 202502")],
    ),
    "after death": (HEADER + "a,202412,0,1,1,x\na,202501,1,2,1,x\n", [(3, "I_Alive", "dead in 202412 (line 2)")]),
    "a million characters": (HEADER + f"a,202401,1,1,1,{'x' * 10**6}\n", [(2, "region", "1000000 characters")]),
    "a million letters": (HEADER + f"a,202401,1,{'z' * 10**6},1,x\n", [(2, "i_use", "is no number")]),
    "storm": (HEADER + "a,202401,1,1,NaN,x\na,202402,1,1,inf,x\n", [(None, "n_rate", "no row has a value")]),
}


@pytest.mark.parametrize("what", FAULTY)
def test_panel_when_it_has_faults_then_line_and_column_are_told_and_nothing_is_kept(
    product: Product, ingest: IngestOf, what: str
) -> None:
    content, wanted = FAULTY[what]
    with pytest.raises(IngestRefused) as refused:
        ingest(content, dictionary=DICTIONARY)
    found = faults_of(refused)
    assert [(line, column) for line, column, _ in found] == [(line, column) for line, column, _ in wanted]
    assert all(part in told for (_, _, part), (_, _, told) in zip(wanted, found, strict=True)), found
    assert all(len(told) < 400 for _, _, told in found)
    assert product.churn.store.read().revision == 0
    segments = product.settings.data_dir / "churn" / "churn_database_segments"
    assert list(segments.glob("*.parquet")) == list((segments / "incoming").glob("*")) == []


def test_panel_when_it_has_many_faults_then_a_hundred_are_told_and_all_are_counted(ingest: IngestOf) -> None:
    rows = "".join(f"c{number},202513,7,1,1,x\n" for number in range(300))
    told = r"600 faults.*line 2, column I_TIMEBASE: .* … and 590 more faults from line 12 on"
    with pytest.raises(IngestRefused, match=told) as refused:
        ingest(HEADER + rows, dictionary=DICTIONARY)
    assert (len(refused.value.extra["faults"]), refused.value.extra["fault_count"]) == (100, 600)


def large(rows: int) -> list[str]:
    """Lines of so many customers, of which threads read several pieces at once."""
    told = "x" * 900
    return [f"c{number},202401,1,{number},0.5,{told}\n" for number in range(rows)]


def test_panel_when_all_threads_read_it_then_each_row_knows_its_line(product: Product, ingest: IngestOf) -> None:
    ingest(HEADER + "".join(large(50_000)), dictionary=DICTIONARY)
    query = "SELECT count(*), min(source_line), max(source_line), bool_and(source_line = i_use + 2) FROM rawdata"
    assert product.churn.sql.query(query, limit=1, actor=SYSTEM).rows == [[50_000, 2, 50_001, True]]
    found = product.churn.files.preview(1, limit=1, offset=41_234, actor=SYSTEM)
    assert dict(zip(found.columns, found.rows[0], strict=True))["source_line"] == 41_236


def test_panel_when_a_fault_is_far_inside_then_its_line_is_told(ingest: IngestOf) -> None:
    lines = large(50_000)
    lines[40_000] = "c40000,202401,1,many,0.5,x\n"
    lines[49_000] = "c49000,202401,1\n"
    with pytest.raises(IngestRefused) as refused:
        ingest(HEADER + "".join(lines), dictionary=DICTIONARY)
    assert [(line, column) for line, column, _ in faults_of(refused)] == [(40_002, "i_use"), (49_002, None)]


@pytest.mark.parametrize("largest", [2**31 - 1, -(2**31), 2**31, 8_999_999_999_999_999])
def test_panel_when_whole_numbers_are_large_then_they_are_kept_and_of_one_type(
    product: Product, ingest: IngestOf, largest: int
) -> None:
    ingest(HEADER + f"a,202401,1,{largest},1,x\na,202402,1,,2,x\n", dictionary=DICTIONARY)
    query = "SELECT i_use, typeof(i_use), typeof(I_TIMEBASE) FROM rawdata ORDER BY I_TIMEBASE"
    found = product.churn.sql.query(query, limit=2, actor=SYSTEM).rows
    assert found == [[largest, "BIGINT", "INTEGER"], [None, "BIGINT", "INTEGER"]]


def test_panel_when_several_columns_lost_fractions_then_each_is_told_in_its_order(ingest: IngestOf) -> None:
    said = {**DICTIONARY, "n_rate": {"role": "DYNAMIC_FEATURE", "type": "integer"}}
    rows = "a,202401,1,1,0.5,x\na,202402,1,1.5,2,x\na,202403,1,,1e300,x\na,202404,1,nan,3,x\n"
    with pytest.raises(IngestRefused) as refused:
        ingest(HEADER + rows, dictionary=said)
    assert [(line, column, told[:5]) for line, column, told in faults_of(refused)] == [
        (2, "n_rate", "0.5 i"), (3, "i_use", "1.5 i"), (4, "n_rate", "1e+30"),
    ]  # fmt: skip


@pytest.mark.parametrize(("lost", "allowed"), [(60, False), (60, True), (None, False)])
def test_panel_when_it_has_more_months_than_can_be_counted_at_once_then_gaps_are_told_as_ever(
    ingest: IngestOf, lost: int | None, allowed: bool
) -> None:
    months = [200001 + month // 12 * 100 + month % 12 for month in range(150) if month != lost]
    rows = "".join(f"a,{month},1,1,1,x\n" for month in months)
    said = {"columns": dict(DICTIONARY), "gaps": "allow" if allowed else "refuse"}
    if lost is None or allowed:
        assert ingest(HEADER + rows, dictionary=said).file.rows == len(months)
        return
    with pytest.raises(IngestRefused, match="no row between 200412"):
        ingest(HEADER + rows, dictionary=said)


def test_panel_when_gaps_and_returns_are_allowed_then_it_is_taken_in(ingest: IngestOf) -> None:
    rows = "a,202401,0,1,1,x\na,202407,1,2,1,x\n"
    assert ingest(HEADER + rows, dictionary={"columns": dict(DICTIONARY), "gaps": "allow", "returns": "allow"}).is_new


def test_panel_when_little_of_a_column_is_known_then_a_note_says_so(ingest: IngestOf) -> None:
    rows = "".join(f"a,2024{month:02d},1,1,{'1' if month == 1 else 'nan'},x\n" for month in range(1, 13))
    assert ingest(HEADER + rows, dictionary=DICTIONARY).notes == [
        "n_rate is unknown in 11 of 12 rows (empty, NaN or infinite).",
    ]


def test_panel_when_decimals_have_a_comma_and_nobody_says_so_then_they_are_numbers(
    product: Product, ingest: IngestOf
) -> None:
    rows = "".join(f"a;2024{month:02d};1;{month};0,{month};{month},5e1;x\n" for month in range(1, 10))
    done = ingest("Kunde;I_TIMEBASE;I_Alive;i_use;n_rate;n_noise;region\n" + rows)
    columns = done.file.dictionary["columns"]
    assert (columns["n_rate"], done.file.dictionary["decimal"]) == ({"role": "DYNAMIC_FEATURE", "type": "number"}, ",")
    assert [(row["n_rate"], row["n_noise"]) for row in rawdata_of(product, 1)][1] == (0.2, 25.0)
    assert done.notes == ["Numbers are read with a decimal comma, as the file has it."]


@pytest.mark.parametrize("cell", ["0,5", "1,234"])
def test_guess_when_other_numbers_have_a_point_then_a_comma_is_no_decimal(
    product: Product, tmp_path: Path, cell: str
) -> None:
    path = tmp_path / "some.csv"
    path.write_text(f"Kunde;I_TIMEBASE;I_Alive;n_rate;n_noise\na;202401;1;{cell};0.5\na;202402;1;{cell};0.25\n")
    seen = {column.name: column for column, _ in product.churn.files.look(path, actor=SYSTEM)}
    assert (seen["n_rate"].type, seen["n_rate"].has_comma, seen["n_noise"].type) == ("text", False, "number")


def test_panel_when_text_has_too_many_words_then_it_is_refused_or_left_out_of_a_guess(ingest: IngestOf) -> None:
    rows = "".join(f"c{place},202401,1,1,0.5,word {place}\n" for place in range(200))
    with pytest.raises(IngestRefused) as refused:
        ingest(HEADER + rows, dictionary=DICTIONARY)
    assert [(line, column, told[:38]) for line, column, told in faults_of(refused)] == [
        (None, "region", "the column has more than 50 different "),
    ]
    done = ingest(HEADER + rows)
    assert done.file.dictionary["columns"]["region"]["role"] == "IGNORED"
    assert done.notes == [
        "Left out, as they hold more than 50 different words: region. A dictionary can say otherwise."
    ]


def test_panel_when_a_static_word_changes_then_a_customer_and_both_words_are_told(ingest: IngestOf) -> None:
    rows = "a,202401,1,1,1,north\nb,202401,1,1,1,south\nb,202402,1,2,1,north\n"
    assert ingest(HEADER + rows, dictionary=DICTIONARY).notes == [
        'region is called static but changes for 1 customers, such as "b" ("north", "south"); the earliest value counts.',
    ]


def test_panel_when_a_month_cannot_be_read_then_no_month_is_said_to_be_missing(ingest: IngestOf) -> None:
    with pytest.raises(IngestRefused) as refused:
        ingest(HEADER + "a,202412,1,1,1,x\na,202513,1,2,1,x\na,202502,1,2,1,x\n", dictionary=DICTIONARY)
    assert [(line, column, told[:20]) for line, column, told in faults_of(refused)] == [
        (3, "I_TIMEBASE", '"202513" is no month'),
    ]


def test_transactions_when_taken_in_then_each_month_says_what_was_known_at_its_end(
    product: Product, ingest: IngestOf
) -> None:
    bought = "who,day,paid\na,2024-01-15,10\na,20240120,5\nb,2024-02-01,1\na,2024-05-02 10:00:00,7\nb,30.06.2024,2\n"
    rule = ChurnRule(gap_months=3, customer="who", date="day", amount="paid")
    done = ingest(bought, rule=rule)
    assert (done.file.kind, done.file.rows, done.file.first_month, done.file.last_month) == (
        "transactions", 11, 202401, 202406,
    )  # fmt: skip
    rows = [(r["Kunde"], r["I_TIMEBASE"], r["I_Alive"], r["i_transactions"], r["n_amount"], r["source_line"])
            for r in rawdata_of(product, 1)]  # fmt: skip
    assert rows == [
        ("a", 202401, 1, 2, 15.0, 3),
        ("a", 202402, 1, 0, 0.0, 3),
        ("a", 202403, 1, 0, 0.0, 3),
        ("a", 202404, 0, 0, 0.0, 3),
        ("a", 202405, 1, 1, 7.0, 5),
        ("a", 202406, 1, 0, 0.0, 5),
        ("b", 202402, 1, 1, 1.0, 4),
        ("b", 202403, 1, 0, 0.0, 4),
        ("b", 202404, 1, 0, 0.0, 4),
        ("b", 202405, 0, 0, 0.0, 4),
        ("b", 202406, 1, 1, 2.0, 6),
    ]
    assert ingest(bought, rule=ChurnRule(**{**rule.record(), "gap_months": 4})).file.file_id == 2


def test_transactions_when_the_last_month_was_not_over_then_a_note_says_so_and_through_cuts_it_off(
    ingest: IngestOf,
) -> None:
    bought = "customer,date\na,2024-01-15\na,2024-03-02\n"
    assert "through=202402" in ingest(bought, rule=ChurnRule(gap_months=2)).notes[0]
    cut = ingest(bought, rule=ChurnRule(gap_months=2, through=202402))
    assert cut.file.last_month == 202402 and "1 transactions after 202402" in cut.notes[0]


def test_transactions_when_they_have_faults_then_line_and_column_are_told(ingest: IngestOf) -> None:
    with pytest.raises(IngestRefused) as refused:
        ingest("customer,date,paid\n,2024-01-15,1\na,2024-02-30,1\nb,1024-01-01,1\n", rule=ChurnRule(gap_months=2))
    assert [(line, column) for line, column, _ in faults_of(refused)] == [(2, "customer"), (3, "date"), (4, "date")]
    with pytest.raises(IngestRefused) as lacking:
        ingest("customer,date\na,2024-01-15\n", rule=ChurnRule(gap_months=2, amount="paid"))
    assert faults_of(lacking) == [(1, "paid", "the file has no such column")]


def test_cdnow_when_taken_in_as_transactions_then_the_panel_is_the_one_that_the_backtest_was_checked_on(
    product: Product, ingest: IngestOf, tmp_path: Path
) -> None:
    """All 69,659 purchases; the method's own tests build the same panel by other means."""
    lines = gzip.decompress(CDNOW.read_bytes()).decode().split("\n")
    cells = [line.split() for line in lines[1:] if line.split()]
    text = "customer,date,cds,dollars\n" + "".join(",".join(row) + "\n" for row in cells)
    rule = ChurnRule(gap_months=6, amount="dollars", quantity="cds")
    done = ingest(text, rule=rule)
    assert (done.file.customers, done.file.first_month, done.file.last_month) == (23_570, 199701, 199806)
    product.churn.files.write_inputs([1], tmp_path)
    panel = read_panel(tmp_path / "panel.parquet", ["i_transactions", "n_amount", "n_quantity"], [])
    assert int(np.nansum(panel.dynamic["i_transactions"])) == len(cells) == 69_659
    assert float(np.nansum(panel.dynamic["n_amount"], dtype=np.float64)) == pytest.approx(2_500_315.63, abs=1)
    bought = np.nan_to_num(panel.dynamic["i_transactions"]) > 0
    window = np.stack([bought[:, max(0, month - 5) : month + 1].any(axis=1) for month in range(18)], axis=1)
    known = panel.alive >= 0
    assert (known == (np.cumsum(bought, axis=1) > 0)).all()
    assert (panel.alive[known] == window[known]).all()
    assert yyyymm(panel.last_month) == 199806


def test_inputs_of_several_files_when_they_overlap_then_the_newest_row_counts_and_lineage_tells(
    product: Product, ingest: IngestOf, tmp_path: Path
) -> None:
    ingest(HEADER + ROWS, dictionary=DICTIONARY)
    later = "Kunde,I_TIMEBASE,I_Alive,i_use,age\na,202402,1,9,40\na,202403,0,1,40\n"
    said = {**{key: DICTIONARY[key] for key in ("Kunde", "I_TIMEBASE", "I_Alive", "i_use")}, "age": "STATIC_FEATURE"}
    ingest(later, dictionary=said)
    written = product.churn.files.write_inputs([2, 1], tmp_path)
    assert (written.rows_replaced, [file.file_id for file in written.files]) == (1, [1, 2])
    rows = pq.read_table(tmp_path / "panel.parquet").to_pylist()
    assert [(r["Kunde"], r["I_TIMEBASE"], r["i_use"], r["age"], r["id_files"], r["source_line"]) for r in rows] == [
        ("a", 202401, 3, None, 1, 2),
        ("a", 202402, 9, 40.0, 2, 2),
        ("a", 202403, 1, 40.0, 2, 3),
        ("b", 202401, 1, None, 1, 4),
        ("b", 202402, 0, None, 1, 5),
    ]
    dictionary = json.loads((tmp_path / "dictionary.json").read_text())["columns"]
    assert {name: said["role"] for name, said in dictionary.items()}["age"] == "STATIC_FEATURE"
    read_panel(tmp_path / "panel.parquet", ["i_use", "n_rate"], ["region", "age"])


def test_inputs_when_files_disagree_are_unknown_or_none_then_it_is_told(
    product: Product, ingest: IngestOf, tmp_path: Path
) -> None:
    ingest(HEADER + ROWS, dictionary=DICTIONARY)
    ingest(HEADER + ROWS, dictionary={**DICTIONARY, "i_use": "STATIC_FEATURE"})
    with pytest.raises(DictionariesConflict, match="i_use"):
        product.churn.files.write_inputs([1, 2], tmp_path)
    with pytest.raises(FileNotIngested, match="file 7"):
        product.churn.files.write_inputs([7], tmp_path)
    with pytest.raises(InvalidInput, match="names no file"):
        product.churn.files.write_inputs([], tmp_path)
    assert list(tmp_path.glob("*.parquet")) == []


def test_file_when_an_experiment_uses_it_then_it_is_not_deleted_and_the_experiment_is_named(
    product: Product, ingest: IngestOf
) -> None:
    ingest(HEADER + ROWS, dictionary=DICTIONARY)

    def use(document: Document) -> tuple[Document, Note]:
        records = [{"experiment_id": 4, "experiment_name": "spring", "id_files": [1]}]
        return document.with_records("experiments", records), Note(actor=SYSTEM, action="test.change", subject="x")

    product.churn.store.change(use)
    with pytest.raises(FileInUse, match=r"4 \(spring\)"):
        product.churn.files.delete(1, actor=SYSTEM)

    def free(document: Document) -> tuple[Document, Note]:
        return document.with_records("experiments", []), Note(actor=SYSTEM, action="test.change", subject="x")

    product.churn.store.change(free)
    product.churn.files.delete(1, actor=SYSTEM)
    assert product.churn.files.list(actor=SYSTEM) == []
    assert ingest(HEADER + ROWS, dictionary=DICTIONARY).file.file_id == 2
