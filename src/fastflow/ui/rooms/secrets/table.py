"""The list of secrets: what each is, who may read it, and when its value was last replaced."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from fastflow.kernel.secrets.domain.records import Secret
from fastflow.kernel.secrets.service import SecretService
from fastflow.kit.identity import Actor, Role
from fastflow.kit.pages import Page as PageOf
from fastflow.ui.icons import icon
from fastflow.ui.markup import Html, div, join, link, span, tag
from fastflow.ui.parts import empty, heading, pill, when
from fastflow.ui.rooms.secrets.readers import ReadBy, Readers
from fastflow.ui.shell.controls import way
from fastflow.ui.shell.listing import head, pager, table_card
from fastflow.ui.shell.page import BASE, Fragment, Page
from fastflow.ui.texts import Data, Texts

_PAGE = 100
_LOOK_SECONDS = 10.0
_SHOWN = 4


@dataclass(frozen=True, kw_only=True)
class _Shown:
    found: PageOf[Secret]
    readers: Mapping[str, ReadBy]


class SecretTable:
    """Builds the page.

    Args:
        secrets: where they come from, without values.
        readers: who wants them.
    """

    def __init__(self, secrets: SecretService, readers: Readers) -> None:
        self._secrets = secrets
        self._readers = readers

    async def build(self, page: Page) -> None:
        """Put it on the page."""
        t = page.t
        shown = await page.ask(self._look, page, page.actor)
        new = way(page, "/secrets/-/new", t("secrets.new"), drawing="plus", may=page.may(Role.ADMIN), role=Role.ADMIN)
        Fragment(div(div(heading(t("secrets.title")), cls="grow"), div(new, cls="actions"), cls="bar"))
        table = Fragment(_table(t, shown))

        async def refresh() -> None:
            table.show(_table(t, await page.ask(self._look, page, await page.who())))

        page.live(refresh, kinds=(), every=_LOOK_SECONDS)

    def _look(self, page: Page, actor: Actor) -> _Shown:
        found = self._secrets.list(cursor=page.query.get("cursor"), limit=_PAGE, actor=actor)
        return _Shown(found=found, readers=self._readers.find(actor))


def _table(t: Texts, shown: _Shown) -> Html:
    found = shown.found
    known = {secret.key for secret in found.items}
    is_all = found.next_cursor is None
    missing = _missing(t, {key: by for key, by in shown.readers.items() if key not in known}) if is_all else None
    if not found.items:
        return join(missing, div(empty("key", t("secrets.none"), t("secrets.none_hint")), cls="card"))
    heads = [
        head(t("secrets.key")),
        head(t("secrets.kind")),
        head(t("secrets.allowed"), "wide-only"),
        head(t("secrets.read_by"), "wide-only"),
        head(t("secrets.version"), "right"),
        head(t("secrets.changed")),
    ]
    rows = [_row(t, secret, shown.readers.get(secret.key, ReadBy())) for secret in found.items]
    return join(missing, table_card(heads, rows), pager("/secrets", found.next_cursor, older=t("secrets.more")))


def _missing(t: Texts, wanted: Mapping[str, ReadBy]) -> Html | None:
    """Keys that pipelines list and that nobody has made: their runs are refused."""
    told = [
        tag("p", t("secrets.missing", name=key, pipelines=", ".join(by.pipelines)))
        for key, by in sorted(wanted.items())
        if by.pipelines
    ]
    return div(icon("alert"), div(told), cls="note waits", role="status") if told else None


def _row(t: Texts, secret: Secret, by: ReadBy) -> Html:
    path = f"{BASE}/secrets/{quote(secret.key, safe='')}"
    return tag(
        "tr",
        tag("td", link(path, tag("code", Data(secret.key)), cls="first")),
        tag("td", kind(t, secret)),
        tag("td", allowance(t, secret), cls="wide-only"),
        tag("td", _names([*by.allowed(secret), *by.repositories]), cls="wide-only"),
        tag("td", Data(secret.version), cls="right number wide-only"),
        tag("td", when(secret.updated_at), cls="muted"),
        data_href=path,
    )


def kind(t: Texts, secret: Secret) -> Html:
    """A secret, a secret of the server alone, or a parameter."""
    if secret.is_parameter:
        return pill("still", t("secrets.kind_parameter"))
    return pill("runs", t("secrets.kind_server")) if secret.pipelines == () else pill("good", t("secrets.kind_secret"))


def allowance(t: Texts, secret: Secret) -> Html:
    """Which pipelines may read it."""
    if secret.pipelines is None:
        return span(t("secrets.allow_all"))
    return span(t("secrets.allow_none")) if not secret.pipelines else _names(secret.pipelines)


def _names(names: Sequence[str]) -> Html:
    if not names:
        return span(Data("–"), cls="muted")
    shown = [span(Data(name), cls="tag") for name in names[:_SHOWN]]
    return div(shown, span(Data(f"+{len(names) - _SHOWN}"), cls="tag") if len(names) > _SHOWN else None, cls="tags")
