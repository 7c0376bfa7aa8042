"""The pages for those who are not logged in, or whose login went wrong. Plain HTML, quick to come and without a connection to
hold."""

from urllib.parse import urlencode

from starlette.responses import HTMLResponse, Response

from fastflow.kit.errors import FastFlowError
from fastflow.ui.hints import as_told, problem_as_told
from fastflow.ui.icons import mark
from fastflow.ui.markup import Child, Html, div, link, span, tag
from fastflow.ui.texts import Data, Phrase, Texts

_HEADERS = {"Cache-Control": "no-store"}


def login_page(
    t: Texts,
    *,
    base: str,
    version: str,
    to: str,
    is_password: bool,
    is_own: bool,
    has_provider: bool,
    has_ended: bool,
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
        has_ended: the reader was logged in, and is not any more.
    """
    title = t("shell.new_password_title") if is_password else t("shell.login_title")
    why = t("shell.own_password_why" if is_own else "shell.new_password_why") if is_password else None
    return _page(
        t,
        title,
        tag("p", why, cls="muted") if why else None,
        tag("p", t("shell.session_ended"), cls="note", role="status") if has_ended and not is_password else None,
        _form(t, base, to, is_password=is_password),
        link(f"/auth/oidc/login?{urlencode({'next': to})}", t("shell.login_with_provider"), cls="button wide")
        if has_provider and not is_password
        else None,
        link(to, t("shell.cancel"), cls="button wide") if is_own else None,
        static=f"{base}/static/{version}",
        script="login.js",
    )


def refusal_page(t: Texts, *, base: str, version: str, error: FastFlowError, is_login: bool) -> Response:
    """Says what went wrong on the way to a page, and leads back.

    Args:
        t: the words.
        base: the path of the interface.
        version: of the static files.
        error: what went wrong.
        is_login: the way led through a login.
    """
    title = t("shell.login_failed") if is_login else t("shell.failed")
    way = ("/login", t("shell.to_login")) if is_login else ("/", t("shell.back"))
    return _page(
        t,
        title,
        tag("p", problem_as_told(t, error)),
        tag("p", as_told(t, error.hint), cls="muted") if error.hint else None,
        link(base + way[0], way[1], cls="button primary wide"),
        static=f"{base}/static/{version}",
    )


def _page(t: Texts, title: Phrase, *children: Child, static: str, script: str | None = None) -> Response:
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
            tag("script", src=f"{static}/{script}", defer=True) if script else None,
        ),
        tag(
            "body",
            tag("main", div(mark(), span(Data("Fast-Flow")), cls="brand"), tag("h1", title), *children, cls="login"),
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
