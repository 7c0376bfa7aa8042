"""How roles, grants and sessions look."""

from collections.abc import Iterable, Mapping, Sequence

from fastflow.kernel.users.domain.accounts import OpenSession
from fastflow.kit.identity import Grant, Role
from fastflow.ui.markup import Child, Html, div, span, tag
from fastflow.ui.parts import pill, when
from fastflow.ui.texts import Data, Phrase, Texts

_BROWSERS = {"Edg/": "Edge", "OPR/": "Opera", "Firefox/": "Firefox", "Chrome/": "Chrome", "Safari/": "Safari"}
_SYSTEMS = {
    "Windows": "Windows",
    "Android": "Android",
    "iPhone": "iOS",
    "iPad": "iOS",
    "Mac OS X": "macOS",
    "Linux": "Linux",
}
"""The first that a browser's name for itself holds: each names those after it as well."""


def role_name(t: Texts, role: Role) -> Phrase:
    """What a role is called."""
    return t(f"shell.role_{role.word}")


def role_choices(t: Texts, *, lowest: Role = Role.NONE) -> Mapping[str, Phrase]:
    """Roles to choose from, by their word."""
    return {role.word: role_name(t, role) for role in Role if role >= lowest}


def state(t: Texts, *, disabled: bool, must_change: bool) -> Html:
    """How an account is."""
    if disabled:
        return pill("bad", t("users.disabled"))
    return pill("waits", t("users.new")) if must_change else pill("good", t("users.active"))


def grants_in_line(t: Texts, grants: Iterable[Grant]) -> Html | None:
    """Roles on some pipelines, in one line."""
    told = [span(role_name(t, grant.role), Data(f" · {grant.pipelines}"), cls="tag") for grant in grants]
    return span(told, cls="tags") if told else None


def sessions_table(t: Texts, sessions: Sequence[OpenSession], *, may_end: bool) -> Html:
    """Logins that have not ended, each with the button that ends it."""
    if not sessions:
        return tag("p", t("account.no_sessions"), cls="card-body muted")
    return div([_session(t, session, may_end=may_end) for session in sessions], cls="rows")


def _session(t: Texts, session: OpenSession, *, may_end: bool) -> Html:
    end: Child = None
    if session.is_current:
        end = pill("good", t("account.this_one"))
    elif may_end:
        end = tag(
            "button", t("account.end"), cls="button small", type="button", data_act="end", data_of=session.id,
            aria_label=t("account.end_about", address=session.address or "?"),
        )  # fmt: skip
    return div(
        div(
            tag("strong", _program(t, session.user_agent or ""), title=session.user_agent),
            tag(
                "small",
                Data(session.address or ""),
                Data(" · "),
                t(f"account.by_{session.method}"),
                Data(" · "),
                t("account.seen"),
                Data(" "),
                when(session.last_seen_at),
            ),
            cls="main",
        ),
        end,
        cls="row",
    )


def _program(t: Texts, user_agent: str) -> Phrase | Data:
    browser = next((name for mark, name in _BROWSERS.items() if mark in user_agent), None)
    system = next((name for mark, name in _SYSTEMS.items() if mark in user_agent), None)
    if browser is None or system is None:
        return Data(user_agent) if user_agent else t("account.other_program")
    return t("account.on_system", browser=browser, system=system)
