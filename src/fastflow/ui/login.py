"""The pages for those who are not logged in. Plain HTML, quick to come and without a connection to hold."""

from urllib.parse import urlencode

from starlette.responses import HTMLResponse, Response

from fastflow.ui.icons import mark
from fastflow.ui.markup import Html, div, link, span, tag
from fastflow.ui.texts import Data, Phrase, Texts

_HEADERS = {"Cache-Control": "no-store"}


def login_page(
    t: Texts, *, base: str, version: str, to: str, is_password: bool, is_own: bool, has_provider: bool
) -> Response:
    """Asks for name and password, or for a new password.

    Args:
        t: the words.
        base: the path of the interface.
        version: of the static files.
        to: where to go afterwards; a path of ours.
        is_password: True: the password has to be replaced.
        is_own: the reader wants another password; nobody else asks for it.
        has_provider: whether a provider can be asked instead.
    """
    static = f"{base}/static/{version}"
    title = t("shell.new_password_title") if is_password else t("shell.login_title")
    page = tag(
        "html",
        tag(
            "head",
            tag("meta", charset="utf-8"),
            tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
            tag("title", title, Data(" · Fast-Flow")),
            tag("link", rel="icon", href=f"{static}/mark.svg"),
            tag("link", rel="stylesheet", href=f"{static}/app.css"),
            tag("link", rel="stylesheet", href=f"{static}/forms.css"),
            tag("script", src=f"{static}/theme.js"),
            tag("script", src=f"{static}/login.js", defer=True),
        ),
        tag(
            "body",
            tag(
                "main",
                div(mark(), span(Data("Fast-Flow")), cls="brand"),
                tag("h1", title),
                tag("p", t("shell.own_password_why" if is_own else "shell.new_password_why"), cls="muted")
                if is_password
                else None,
                _form(t, base, to, is_password=is_password),
                link(f"/auth/oidc/login?{urlencode({'next': to})}", t("shell.login_with_provider"), cls="button wide")
                if has_provider and not is_password
                else None,
                link(to, t("shell.cancel"), cls="button wide") if is_own else None,
                cls="login",
            ),
        ),
        lang=t.language,
    )
    return HTMLResponse("<!doctype html>" + page, headers=_HEADERS)


def _form(t: Texts, base: str, to: str, *, is_password: bool) -> Html:
    if is_password:
        fields = [
            _field("current_password", t("shell.current_password"), "password", "current-password"),
            _field("new_password", t("shell.new_password"), "password", "new-password"),
            _field("again", t("shell.new_password_again"), "password", "new-password"),
        ]
    else:
        fields = [
            _field("name", t("shell.name"), "text", "username"),
            _field("password", t("shell.password"), "password", "current-password"),
        ]
    return tag(
        "form",
        fields,
        div(cls="form-error", role="alert", hidden=True),
        tag("button", t("shell.save_password") if is_password else t("shell.log_in"), cls="button primary wide"),
        id="password" if is_password else "login",
        data_to=to,
        data_base=base,
        data_differ=t("shell.passwords_differ"),
        data_away=t("shell.server_away"),
    )


def _field(name: str, label: Phrase, kind: str, complete: str) -> Html:
    return tag(
        "label",
        span(label),
        tag(
            "input",
            name=name,
            type=kind,
            autocomplete=complete,
            required=True,
            autocapitalize="none",
            spellcheck="false",
        ),
        cls="field",
    )
