"""Experiments of the churn workbench in a real browser, on a real server."""

import json
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from playwright.sync_api import FilePayload, expect
from tests.e2e.web_driver import examine, on_one_worker

from fastflow.testing.browser import Visitor
from fastflow.testing.served import Served

PIPELINES = {"quick.py": "print('done')\n"}
MONTHS = {
    "Training from": "202201",
    "Training to": "2023-12",
    "Backtest from": "202401",
    "Backtest to": "202406",
}

pytestmark = on_one_worker("web-churn")


def add_results(served: Served, experiment_id: int, auc: float) -> None:
    """As a run would leave them: an export of the database that has them comes back."""
    exported: dict[str, Any] = served.call("GET", "/churn/database/export")[1]
    tables = exported["document"]["tables"]
    table = tables.setdefault("experiment_kpis", {"description": "", "source": "churn", "schema": {}, "records": []})
    table["records"].append({"experiment_id": experiment_id, "kpi": "churn_roc_auc", "value": auc})
    empty = {"description": "", "source": "churn", "schema": {}, "records": []}
    measured = tables.setdefault("churn_model_metrics", empty)
    interval = {"low": auc - 0.03, "high": auc + 0.03}
    measured["records"].append({"experiment_id": experiment_id, "metric": "roc_auc", "value": auc, **interval})
    record = next(row for row in tables["experiments"]["records"] if row["experiment_id"] == experiment_id)
    record |= {"status": "processed", "processed_at": record["updated_at"]}
    assert served.call("POST", "/churn/database/import", exported)[0] == 200


def test_experiment_when_filled_in_step_by_step_then_what_is_wrong_is_told_at_once_and_a_twin_is_named(
    anna: Visitor, started: Served
) -> None:
    page = anna.page
    anna.open("/churn/experiments")
    page.get_by_role("link", name="New experiment").click()
    page.get_by_label("Name", exact=True).fill("Summer")
    page.get_by_role("button", name="Next").click()
    for label, month in MONTHS.items():
        page.get_by_label(label).fill(month)
    page.get_by_label("Backtest to").fill("202413")
    expect(page.locator(".wrong")).to_contain_text("202413 is no month")
    page.get_by_label("Backtest to").fill("202312")
    expect(page.locator(".wrong")).to_contain_text("is reversed")
    page.get_by_label("Backtest to").fill("202406")
    expect(page.locator(".wrong")).to_have_count(0)
    page.get_by_role("button", name="Next").click()
    page.get_by_label("Settings", exact=True).fill("capcity = 0.2")
    page.get_by_role("button", name="Next").click()
    expect(page.locator(".wrong")).to_contain_text("Did you mean 'capacity'?")
    page.get_by_label("Settings", exact=True).fill("capacity = 0.2")
    page.get_by_role("button", name="Next").click()
    expect(page.locator("dl.facts")).to_contain_text("2022-01 – 2023-12")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("heading", name="Summer", exact=True)).to_be_visible()
    made = started.call("GET", "/experiments/1")[1]
    assert (made["training_to"], made["hyperparameters"]["capacity"]) == (202312, 0.2)

    anna.open("/churn/experiments/-/new")
    page.get_by_label("Name", exact=True).fill("Its twin")
    page.get_by_role("button", name="Next").click()
    for label, month in MONTHS.items():
        page.get_by_label(label).fill(month)
    page.get_by_role("button", name="Next").click()
    page.get_by_label("Settings", exact=True).fill("capacity = 0.2")
    page.get_by_role("button", name="Next").click()
    expect(page.locator(".note.bad")).to_contain_text("The experiment 1")
    expect(page.get_by_role("button", name="Create")).to_be_disabled()


def test_experiment_when_changed_compared_reset_and_deleted_then_the_pages_follow(
    anna: Visitor, started: Served
) -> None:
    page = anna.page
    months = {"training_from": 202201, "training_to": 202312, "backtest_from": 202401, "backtest_to": 202403}
    numbers = []
    for name, model in (("Logistic", "logistic"), ("Forest", "random_forest")):
        status, made = started.call("POST", "/experiments", {"experiment_name": name, "model_type": model, **months})
        assert status == 201
        numbers.append(made["experiment_id"])
    for number, auc in zip(numbers, (0.8034, 0.79), strict=True):
        add_results(started, number, auc)
    anna.open("/churn/experiments")
    expect(page.locator("tr", has_text="Logistic")).to_contain_text("0.803")
    page.keyboard.press("Control+k")
    page.keyboard.type("logist")
    expect(page.locator("dialog [role=option]", has_text="Logistic").first).to_contain_text("Processed")
    anna.open(f"/churn/experiments/-/compare?ids={numbers[0]},{numbers[1]}")
    differing = page.locator("section.card", has_text="What differs")
    expect(differing.locator("tbody tr")).to_have_count(1)
    expect(differing).to_contain_text("random_forest")
    figures = page.locator("section.card", has_text="Key figures")
    expect(figures).to_contain_text("0.790")
    expect(figures).to_contain_text("0.760 – 0.820")
    expect(figures.locator(".pill")).to_have_text(["Processed", "Processed", "Not distinguishable"])
    page.set_viewport_size({"width": 390, "height": 800})
    second = figures.locator("td .pill").last.bounding_box()
    assert second is not None and second["x"] + second["width"] <= 390
    page.set_viewport_size({"width": 1280, "height": 800})

    anna.open(f"/churn/experiments/{numbers[0]}")
    page.get_by_role("button", name="To the outbox").click()
    expect(page.locator(".q-notification.toast")).to_contain_text("1 bundle")
    page.get_by_role("button", name="Reset").click()
    expect(page.locator("[role=alertdialog]")).to_contain_text("files stay")
    expect(page.locator("[role=alertdialog] .goes")).to_contain_text("experiment_kpis")
    page.locator("[role=alertdialog] .danger").click()
    expect(page.locator(".pill", has_text="Created")).to_be_visible()
    page.get_by_role("button", name="Change").click()
    page.get_by_label("Name", exact=True).fill("Renamed")
    for _ in range(3):
        page.get_by_role("button", name="Next").click()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Renamed", exact=True)).to_be_visible()
    page.get_by_role("button", name="Delete").click()
    page.locator("[role=alertdialog] .danger").click()
    expect(page.get_by_role("heading", name="Experiments", exact=True)).to_be_visible()
    assert started.call("GET", f"/experiments/{numbers[0]}")[0] == 404


def test_pages_of_experiments_when_examined_then_none_is_hard_to_use(anna: Visitor, started: Served) -> None:
    numbers = [one["experiment_id"] for one in started.call("GET", "/experiments")[1]["items"]]
    pages = [
        "/churn/experiments",
        "/churn/experiments?status=failed",
        "/churn/experiments/-/new",
        "/churn/sql",
        f"/churn/experiments/{numbers[0]}/report",
        f"/churn/experiments/-/compare?ids={numbers[0]},{numbers[1]}",
        f"/churn/experiments/{numbers[0]}",
        f"/churn/experiments/{numbers[0]}/change",
    ]
    assert not examine(anna, pages)


def write_query(anna: Visitor, query: str) -> None:
    editor = anna.page.locator(".cm-content")
    editor.click()
    anna.page.keyboard.press("Control+A")
    anna.page.keyboard.insert_text(query)


def test_sql_when_written_then_its_rows_its_faults_its_files_and_its_views_are_there(
    anna: Visitor, started: Served
) -> None:
    page = anna.page
    anna.open("/churn/sql")
    expect(page.locator(".sql-tables summary", has_text="experiments")).to_be_visible()
    write_query(anna, "SELECT 6 * 7 AS n, '<b>' AS word, NULL AS nothing")
    page.keyboard.press("Control+Enter")
    row = page.locator(".sql-rows tbody tr")
    expect(row.locator("td")).to_have_text(["42", "<b>", "NULL"])

    write_query(anna, "SELECT 1\nFRM experiments")
    page.get_by_role("button", name="Run").click()
    expect(page.locator(".note.bad")).to_contain_text("Line 2")
    write_query(anna, "SELECT * FROM read_csv('/etc/passwd')")
    page.get_by_role("button", name="Run").click()
    expect(page.locator(".note.bad")).to_contain_text("read_csv")
    write_query(anna, "SELECT sum(a.range * b.range) FROM range(1000000) AS a, range(10000000) AS b")
    page.get_by_role("button", name="Run").click()
    expect(page.locator(".note[role=status]")).to_contain_text("Running since 1 s")
    expect(page.locator(".note.bad")).to_have_count(0)
    page.get_by_role("button", name="Stop").click()
    expect(page.locator(".note.bad")).to_contain_text("The query was stopped.")
    expect(page.get_by_role("button", name="Stop")).to_be_hidden()

    write_query(anna, "SELECT number, number * number AS square FROM range(3) AS every(number)")
    with page.expect_download() as started_download:
        page.get_by_role("button", name="CSV").click()
    assert started_download.value.path().read_text() == "number,square\n0,0\n1,1\n2,4\n"

    page.get_by_role("button", name="Save as view").click()
    dialog = page.get_by_role("dialog", name="Save as view")
    dialog.get_by_label("Name").fill("1squares")
    dialog.get_by_role("button", name="Save as view").click()
    expect(dialog.locator(".wrong")).to_be_visible()
    dialog.get_by_label("Name").fill("squares")
    dialog.get_by_role("button", name="Save as view").click()
    expect(page.locator("summary", has_text="squares")).to_be_visible(timeout=20_000)
    assert [one["name"] for one in started.call("GET", "/sql/views")[1]["items"]] == ["squares"]
    write_query(anna, "SELECT max(square) FROM squares")
    page.keyboard.press("Control+Enter")
    expect(row.locator("td")).to_have_text(["4"])
    page.get_by_role("button", name="Delete squares").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Delete").click()
    expect(page.locator("summary", has_text="squares")).to_have_count(0)
    assert started.call("GET", "/sql/views")[1]["items"] == []


PANEL = "kdnr,monat,aktiv,i_use,region\n" + "".join(
    f"k{number},{2022 + month // 12}{month % 12 + 1:02d},1,{(number + month) % 5},{'north' if number % 2 else 'south'}\n"
    for number in range(4)
    for month in range(30)
)


def hand_in(anna: Visitor, name: str, text: str) -> None:
    content = FilePayload(name=name, mimeType="text/csv", buffer=text.encode())
    anna.page.locator("input[type=file]").set_input_files(content)


def take_in(served: Served, text: str, dictionary: object) -> int:
    """A file, by the API; its number."""
    query = urlencode({"name": "later.csv", "dictionary": json.dumps(dictionary)})
    request = Request(
        f"{served.url}/churn/files?{query}",
        data=text.encode(),
        headers={"Authorization": f"Bearer {served.token}", "Content-Type": "text/csv"},
    )
    with urlopen(request, timeout=30) as answer:
        return int(json.loads(answer.read())["file"]["file_id"])


def test_file_when_faulty_then_its_lines_are_told_and_the_right_one_is_kept_shown_and_deleted(
    anna: Visitor, started: Served
) -> None:
    page = anna.page
    anna.open("/churn/files")
    expect(page.locator(".empty")).to_contain_text("No files yet")
    page.locator(".bar").get_by_role("link", name="Take in a file").click()
    hand_in(anna, "spring.csv", PANEL.replace("k1,202203,1", "k1,202213,7", 1))
    columns = page.locator("table.roles tbody tr")
    expect(columns).to_have_count(5)
    expect(page.locator(".roles-wrong")).to_contain_text("exactly one has to")
    page.get_by_label("Role: kdnr").select_option("Customer")
    page.get_by_label("Role: aktiv").select_option("Still alive (1 or 0)")
    page.get_by_label("Role: i_use").select_option("Changes by month")
    page.get_by_label("Name in the panel: i_use").fill("i_visits")
    page.get_by_label("Name in the panel: i_use").blur()
    expect(page.locator(".roles-wrong .note")).to_have_count(0)
    page.get_by_role("button", name="Take it in").click()
    faults = page.locator("section.card", has_text="nothing of the file was taken in")
    expect(faults.locator("tbody tr").first.locator("td").nth(1)).to_have_text("monat")
    expect(faults.locator("tbody")).to_contain_text('"202213" is no month')
    assert started.call("GET", "/churn/files")[1]["items"] == []
    assert anna.complaints.pop().startswith("422 ")

    hand_in(anna, "spring.csv", PANEL)
    expect(page.locator(".upload-going")).to_be_hidden()
    expect(page.get_by_label("Role: aktiv")).to_have_value("TARGET")
    expect(page.get_by_label("Name in the panel: i_use")).to_have_value("i_visits")
    page.get_by_label("Name in the panel: i_use").fill("i_use")
    page.get_by_label("Name in the panel: i_use").blur()
    page.get_by_role("button", name="Take it in").click()
    expect(page.locator(".taken")).to_contain_text("120 rows of 4 customers")
    page.get_by_role("link", name="Look at it").click()
    expect(page.get_by_role("heading", name="spring.csv", exact=True)).to_be_visible()
    expect(page.locator("figure.plot svg").first).to_have_attribute(
        "aria-label", "From 2022-01 to 2024-06; at most 4 customers in a month."
    )
    expect(page.locator("section.card", has_text="Columns").locator("tbody tr", has_text="i_use")).to_contain_text(
        "0 – 4"
    )

    (file,) = started.call("GET", "/churn/files")[1]["items"]
    page.get_by_role("link", name="New experiment from it").click()
    expect(page.get_by_label("Name", exact=True)).to_have_value("spring")
    page.get_by_label("Name", exact=True).fill("On spring")
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_label("Training to")).to_have_value("202312")
    expect(page.get_by_label("Backtest from")).to_have_value("202401")
    expect(page.locator(".timeline")).to_contain_text("Learned at 13 months of the training window")
    expect(page.locator(".timeline [role=img]")).to_have_attribute(
        "aria-label",
        "The windows over the months: Data 2022-01 – 2024-06; Training 2022-01 – 2023-12; Backtest 2024-01 – 2024-06",
    )
    page.get_by_label("Backtest from").fill("202303")
    expect(page.locator(".wrong").first).to_contain_text("overlaps")
    page.get_by_label("Backtest from").fill("202401")
    for _ in range(2):
        page.get_by_role("button", name="Next").click()
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("heading", name="On spring", exact=True)).to_be_visible()
    later = page.locator("section.card", has_text="Rows that came later")
    later.get_by_role("button", name="Look for them").click()
    expect(later).to_contain_text("No file was taken in since")
    number = take_in(started, PANEL.replace("k1,202203,1,3", "k1,202203,1,7", 1), file["dictionary"])
    later.get_by_role("button", name="Look for them").click()
    expect(later.locator("tbody").last.locator("tr")).to_have_count(1)
    expect(later.locator("tbody").last).to_contain_text("i_use 3 → 7")
    assert started.call("DELETE", f"/churn/files/{number}")[0] == 204
    anna.open("/churn/files")
    expect(page.locator("tr", has_text="spring.csv")).to_contain_text("On spring")
    assert not examine(anna, ["/churn/files", f"/churn/files/{file['file_id']}", "/churn/files/-/new"])
    page.keyboard.press("Control+k")
    page.keyboard.type("spring")
    expect(page.locator("dialog [role=option]", has_text="spring.csv")).to_be_visible()
    anna.open(f"/churn/files/{file['file_id']}")
    page.get_by_role("button", name="Delete").click()
    expect(page.locator(".q-notification.toast")).to_contain_text("On spring")
    page.get_by_role("link", name="On spring").click()
    page.get_by_role("button", name="Delete").click()
    page.locator("[role=alertdialog] .danger").click()
    expect(page.get_by_role("heading", name="Experiments", exact=True)).to_be_visible()
    anna.open(f"/churn/files/{file['file_id']}")
    page.get_by_role("button", name="Delete").click()
    page.locator("[role=alertdialog] .danger").click()
    expect(page.locator(".empty")).to_contain_text("No files yet")


def test_file_when_it_is_a_list_of_purchases_then_the_churn_rule_is_asked_for(anna: Visitor, started: Served) -> None:
    page = anna.page
    anna.open("/churn/files/-/new")
    hand_in(anna, "bought.csv", "customer,date,paid\na,2024-01-15,10\na,2024-03-31,5\nb,2024-02-10,1\n")
    gap = page.get_by_label("Months without a transaction")
    expect(gap).to_be_visible()
    gap.fill("soon")
    page.get_by_role("button", name="Take it in").click()
    expect(page.locator(".wrong")).to_be_visible()
    assert anna.complaints.pop().startswith("422 ")
    gap.fill("2")
    page.get_by_role("button", name="Take it in").click()
    expect(page.locator(".taken")).to_contain_text("2 customers")
    (file,) = started.call("GET", "/churn/files")[1]["items"]
    assert (file["kind"], file["churn_rule"]["gap_months"], file["churn_rule"]["amount"]) == ("transactions", 2, "paid")
    assert started.call("DELETE", f"/churn/files/{file['file_id']}")[0] == 204
