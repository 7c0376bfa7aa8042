"""What the pictures show beside pages as they open: dialogs, sheets, the palette, notes, and what is there before anything is."""

from collections.abc import Callable, Mapping

from playwright.sync_api import FilePayload, Page
from screenshots_camera import Moment

EMPTY = (
    ("empty-overview", "/"),
    ("empty-pipelines", "/pipelines"),
    ("empty-runs", "/runs"),
    ("empty-dead-letters", "/dead-letters"),
    ("empty-schedules", "/schedules"),
    ("empty-secrets", "/secrets"),
    ("empty-experiments", "/churn/experiments"),
    ("empty-sync", "/sync"),
    ("empty-tokens", "/tokens"),
    ("empty-alerts", "/alerts"),
    ("empty-alert-rules", "/alerts/rules"),
    ("empty-channels", "/alerts/channels"),
    ("empty-audit", "/audit?actor=nobody"),
)
"""Pages of a server on which nothing has happened yet."""


def moments(pages: Mapping[str, str]) -> Mapping[str, Moment]:
    """What is pictured, by name.

    Args:
        pages: paths of pages by their names.
    """
    return {
        "palette": Moment(path="/", do=_palette),
        "palette-found": Moment(path="/", do=lambda page: _palette(page, "run gre")),
        "palette-nothing": Moment(path="/", do=lambda page: _palette(page, "zzzz")),
        "menu": Moment(path="/", do=_menu, is_for_phones=True),
        "run-cancel": Moment(path=pages["run-running"], do=_asks(".bar .danger")),
        "run-capsule": Moment(path=pages["run-trained"], do=_unfold),
        "run-log-find": Moment(path=pages["run-trained"], do=_find),
        "runs-chosen": Moment(path="/runs", do=_choose),
        "runs-replay": Moment(path="/runs?state=SUCCESS", do=_replay),
        "form-wrong": Moment(path="/pipelines/greet_city", do=_submit_nothing),
        "user-new": Moment(path="/users", do=_sheet),
        "user-new-role": Moment(path="/users", do=_open_choice),
        "user-new-wrong": Moment(path="/users", do=_leave_empty),
        "token-new": Moment(path="/tokens", do=_sheet),
        "user-disable": Moment(path="/users/vera", do=_asks(".actions .danger")),
        "secret-delete": Moment(path="/secrets/GEO_TOKEN", do=_asks(".bar .danger")),
        "schedules-pause": Moment(path="/schedules", do=_asks(".bar .button:not(.primary)")),
        "file-new-columns": Moment(path="/churn/files/-/new", do=_hand_in),
        "file-new-faults": Moment(path="/churn/files/-/new", do=_take_in, is_refused=True),
        "experiment-new-windows": Moment(path="/churn/experiments/-/new", do=_fill_windows),
        "experiment-new-review": Moment(path="/churn/experiments/-/new", do=_review),
        "experiment-reset": Moment(path="/churn/experiments/1", do=_asks(".actions .button:nth-of-type(4)")),
        "schedule-delete": Moment(path=pages["schedule-declared-zone"], do=_asks(".bar .danger")),
    }


def _hand_in(page: Page) -> None:
    """A panel with a month that is none."""
    text = "Kunde,I_TIMEBASE,I_Alive,i_use,region\na,202401,1,3,north\na,202413,1,2,north\nb,202401,2,0,south\n"
    given = FilePayload(name="customers.csv", mimeType="text/csv", buffer=text.encode())
    page.locator("input[type=file]").set_input_files(given)
    page.locator("table.roles tbody tr").first.wait_for()


def _take_in(page: Page) -> None:
    _hand_in(page)
    page.locator(".actions .primary:visible").click()
    page.locator(".note.bad").wait_for()
    page.locator(".note.bad").scroll_into_view_if_needed()


def _fill_windows(page: Page) -> None:
    """The second step of an experiment, with months that overlap."""
    fields = page.locator(".run-form:visible input")
    fields.first.fill("Autumn 2023")
    page.locator(".actions .primary:visible").click()
    fields.nth(3).wait_for()
    for place, month in enumerate(("202201", "202312", "202310", "202403")):
        fields.nth(place).fill(month)
    page.locator(".wrong").wait_for()


def _review(page: Page) -> None:
    """The last step of an experiment."""
    _fill_windows(page)
    page.locator(".run-form:visible input").nth(2).fill("202402")
    page.locator(".wrong").wait_for(state="detached")
    page.locator(".actions .primary:visible").click()
    page.locator(".run-form:visible textarea").fill("history_months = 3\ncapacity = 0.2")
    page.locator(".actions .primary:visible").click()
    page.locator("dl.facts").wait_for()


def _palette(page: Page, words: str = "") -> None:
    page.keyboard.press("Control+k")
    options = page.locator("dialog [role=option]")
    options.first.wait_for()
    if words:
        page.keyboard.type(words)
    page.locator(
        "dialog:not(:has([role=option]))" if words.startswith("z") else "dialog [role=option]"
    ).first.wait_for()


def _menu(page: Page) -> None:
    page.locator(".topbar .menu").click()
    page.locator(".sidebar nav a").first.wait_for()


def _asks(selector: str) -> Callable[[Page], None]:
    def press(page: Page) -> None:
        page.locator(selector).first.click()
        page.locator("[role=alertdialog]").wait_for()

    return press


def _sheet(page: Page) -> None:
    page.locator(".bar .primary").click()
    page.locator(".sheet input").first.wait_for()


def _open_choice(page: Page) -> None:
    _sheet(page)
    page.locator(".sheet .q-select").first.click()
    page.locator(".q-menu .q-item").first.wait_for()


def _leave_empty(page: Page) -> None:
    _sheet(page)
    page.locator(".sheet .primary").click()
    page.locator(".q-notification").first.wait_for()


def _submit_nothing(page: Page) -> None:
    page.locator(".run-form .primary").click()
    page.locator(".run-field .wrong").first.wait_for()
    page.locator(".q-notification").first.wait_for()


def _unfold(page: Page) -> None:
    summary = page.locator("details > summary").last
    summary.click()
    page.locator("details[open] pre").last.scroll_into_view_if_needed()


def _find(page: Page) -> None:
    page.locator(".log-line").first.wait_for()
    page.locator(".log-bar input").fill("loss")
    page.locator(".log-line mark, .log-line.hit").first.wait_for()
    page.locator(".log-bar").scroll_into_view_if_needed()


def _choose(page: Page) -> None:
    for number in range(2):
        page.locator("input[name=run]").nth(number).check()


def _replay(page: Page) -> None:
    _choose(page)
    page.locator(".bulk button").nth(1).click()
    page.locator("[role=alertdialog]").wait_for()
