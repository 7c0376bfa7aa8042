"""A field for a file: dropped on it or chosen. The file stays in the browser; `send` has the browser send it to the API, as who is
logged in and with their rights, so that a page takes files in as every other client does, piece by piece, under the same limits.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from nicegui import ui
from nicegui.events import GenericEventArguments

from fastflow.kit.errors import FastFlowError, Unauthenticated
from fastflow.ui.icons import icon
from fastflow.ui.markup import Html, div, span, tag
from fastflow.ui.shell.page import Fragment, Page
from fastflow.ui.texts import Data, Phrase

_LONGEST_SECONDS = 4 * 3600.0
_HANDED = "(event) => emit(event.detail.name, event.detail.size)"


class Upload:
    """The field.

    Args:
        page: where it is.
        name: of the field, once on a page.
        label: what to hand in.
        about: says more.
        accept: endings of names that the browser offers first.
        handed: called with the file's name and bytes when there is one.
    """

    def __init__(
        self,
        page: Page,
        name: str,
        label: Phrase,
        *,
        about: Phrase | None = None,
        accept: str = "",
        handed: Callable[[str, int], Awaitable[None]],
    ) -> None:
        self._name = name
        act = page.act(handed)
        with ui.element("div").classes("upload-field"):
            field = ui.html(_field(page, label, about, accept), sanitize=False, tag="label").classes("upload")
            field.props["data-upload"] = name

            async def hear(event: GenericEventArguments) -> None:
                given, size = event.args
                await act(str(given), int(size))

            field.on("handed", hear, js_handler=_HANDED)
            Fragment(_going(page, name))

    async def send(self, path: str, query: Mapping[str, str | None] | None = None) -> tuple[int, Any] | None:
        """Send what was handed in to the API: the status and what was answered; None: it was stopped on the way.

        Raises:
            Unauthenticated: the session has ended.
            FastFlowError: the problem that was answered, in the words of the API.
        """
        given = urlencode({name: value for name, value in (query or {}).items() if value})
        asked = f"{path}?{given}" if given else path
        answer = await ui.run_javascript(
            f"return await sendUpload({json.dumps(self._name)}, {json.dumps(asked)})", timeout=_LONGEST_SECONDS
        )
        status, body = int(answer["status"]), answer["body"]
        if status == 0:
            return None
        if status >= 400:
            raise _problem(status, body)
        return status, body


def _problem(status: int, body: Any) -> FastFlowError:
    if not isinstance(body, dict) or "detail" not in body:
        return FastFlowError(f"The server answered {status}.")
    kind = Unauthenticated if status == 401 else FastFlowError
    known = ("type", "title", "status", "detail", "code", "hint", "fields")
    return kind(
        str(body["detail"]),
        code=str(body.get("code", "error")),
        hint=str(body.get("hint", "")),
        fields=body.get("fields") or {},
        extra={name: value for name, value in body.items() if name not in known},
    )


def _field(page: Page, label: Phrase, about: Phrase | None, accept: str) -> Html:
    return span(
        tag("input", type="file", accept=accept, aria_label=label, cls="upload-input"),
        icon("file"),
        span(
            tag("strong", label, cls="upload-ask"),
            tag("strong", Data(""), cls="upload-name"),
            tag("span", page.t("shell.upload_drop"), cls="muted small-text"),
            tag("span", about, cls="muted small-text") if about else None,
            cls="upload-words",
        ),
        cls="upload-body",
    )


def _going(page: Page, name: str) -> Html:
    """How far it is; the browser shows it while something is on its way."""
    t = page.t
    stop = tag("button", t("shell.upload_stop"), cls="button small", type="button", data_upload_stop=name)
    return div(
        tag("progress", max=1, aria_label=t("shell.upload_sending")),
        span(cls="upload-told muted small-text", role="status"),
        stop,
        cls="upload-going",
        hidden=True,
        data_sending=t("shell.upload_sending"),
        data_judging=t("shell.upload_judging"),
    )
