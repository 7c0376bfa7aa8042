"""The settings: what each is, where that came from, and what it means. Nothing is changed here: a server is set up where it
is started, so that it starts the same way again."""

from collections.abc import Sequence

from fastflow.kernel.http.access import require_admin
from fastflow.ui.hints import as_told
from fastflow.ui.icons import icon
from fastflow.ui.markup import Child, Html, div, join, span, tag
from fastflow.ui.parts import empty, heading, pill
from fastflow.ui.rooms.settings.setting import Look, Setting
from fastflow.ui.shell.page import Fragment, Page
from fastflow.ui.texts import Data, Texts

_KINDS = {"default": "still", "derived": "still", "environment": "runs", "file": "runs", "flag": "waits"}


class SettingsPage:
    """Builds the page.

    Args:
        look: gives the settings.
    """

    def __init__(self, look: Look) -> None:
        self._look = look

    async def build(self, page: Page) -> None:
        """Put it on the page."""
        require_admin(page.actor)
        t = page.t
        settings, problem = await page.ask(self._look)
        Fragment(
            join(
                heading(t("settings.title"), under=t("settings.about")),
                _file_note(t, settings, problem),
                _narrowing(t, page.query.get("q", "")),
                _table(t, settings),
            )
        )


def _file_note(t: Texts, settings: Sequence[Setting], problem: str) -> Html | None:
    """That `.env` was changed since the start, or would not do any more."""
    if problem:
        said = span(tag("strong", t("settings.file_wrong")), Data(" "), as_told(t, problem))
        return div(icon("alert"), said, cls="note bad", role="alert")
    later = [setting.name for setting in settings if setting.later is not None]
    if not later:
        return None
    said = span(t("settings.file_changed"), Data(" "), tag("code", Data(", ".join(later))))
    return div(icon("clock"), said, cls="note waits", role="status")


def _narrowing(t: Texts, wanted: str) -> Html:
    return div(
        tag(
            "input", type="search", value=wanted, placeholder=t("settings.find"), aria_label=t("settings.find"),
            data_narrows="tr[data-text]", data_none="#none-fit", autocomplete="off", spellcheck="false",
        ),
        tag("label", tag("input", type="checkbox", data_only="set"), t("settings.only_set"), cls="check"),
        cls="filters",
    )  # fmt: skip


def _table(t: Texts, settings: Sequence[Setting]) -> Html:
    head = [
        tag("th", t("settings.setting"), scope="col"),
        tag("th", t("settings.value"), scope="col"),
        tag("th", t("settings.origin"), scope="col"),
    ]
    rows = [_row(t, setting) for setting in settings]
    table = tag("table", tag("thead", tag("tr", head)), tag("tbody", rows), cls="list settings")
    none = div(empty("search", t("settings.none_fit")), id="none-fit", hidden=True)
    return div(table, none, cls="card table-wrap")


def _row(t: Texts, setting: Setting) -> Html:
    is_set = setting.origin not in ("default", "derived")
    differs = is_set and not setting.is_secret and setting.value != setting.default
    default: Child = None
    if differs:
        otherwise = tag("code", Data(setting.default)) if setting.default else t("settings.nothing")
        default = div(t("settings.otherwise"), Data(" "), otherwise, cls="muted small-text")
    later: Child = None
    if setting.later is not None:
        then = tag("code", Data(setting.later)) if setting.later else t("settings.nothing")
        later = div(t("settings.later"), Data(" "), then, cls="small-text later")
    value = tag("code", Data(setting.value)) if setting.value else span(t("settings.nothing"), cls="muted")
    return tag(
        "tr",
        tag("td", tag("code", Data(setting.name), cls="setting-name"), div(as_told(t, setting.description), cls="muted small-text")),
        tag("td", value, _hidden(t) if setting.is_secret and setting.value else None, default, later, cls="value"),
        tag("td", pill(_KINDS[setting.origin], t(f"settings.from_{setting.origin}"))),
        data_text=f"{setting.name} {as_told(t, setting.description)} {setting.value}".lower(),
        data_set="set" if is_set else None,
        id=setting.name,
    )  # fmt: skip


def _hidden(t: Texts) -> Html:
    """That a value is hidden."""
    return div(t("settings.hidden"), cls="muted small-text")
