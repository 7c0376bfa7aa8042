"""Somebody logs in at a real provider with a browser, into a started server, and out again."""

import warnings
from collections.abc import Iterator
from html.parser import HTMLParser
from http.cookies import Morsel, SimpleCookie
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
import pytest

from fastflow.testing.served import PATIENCE_SECONDS, Served

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the provider under test alone


class Form(HTMLParser):
    """The first form of a page: where it goes and what it asks for."""

    def __init__(self, page: httpx.Response) -> None:
        super().__init__()
        self.action = str(page.url)
        self.fields: list[str] = []
        self._forms = 0
        self.feed(page.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """See HTMLParser."""
        told = dict(attrs)
        self._forms += tag == "form"
        if self._forms == 1 and tag == "form" and told.get("action"):
            self.action = urljoin(self.action, told["action"])
        if self._forms == 1 and tag == "input" and told.get("name"):
            self.fields.append(str(told["name"]))


@pytest.fixture
def issuer() -> Iterator[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import oidc_provider_mock

    with oidc_provider_mock.run_server_in_thread(require_nonce=True) as server:
        yield f"http://localhost:{server.server_port}"


def test_login_when_the_browser_goes_through_the_providers_form_then_a_session_begins_and_ends(
    served: Served, issuer: str
) -> None:
    served.environment |= {"OIDC_ISSUER": issuer, "OIDC_CLIENT_ID": "fastflow", "OIDC_CLIENT_SECRET": "not a secret"}
    served.environment["OIDC_DEFAULT_ROLE"] = "viewer"
    served.start()
    with httpx.Client(base_url=served.url, follow_redirects=True, timeout=PATIENCE_SECONDS) as browser:
        # a browser that comes back with a login that is not its own sees a page in its language; others get the problem
        unknown, asks = "/auth/oidc/callback?state=unknown&code=x", {"Accept": "text/html", "Accept-Language": "de"}
        refused = browser.get(unknown, headers=asks)
        assert (refused.status_code, refused.headers["content-type"]) == (401, "text/html; charset=utf-8")
        assert "Diese Anmeldung wurde nicht hier begonnen" in refused.text and 'href="/ui/login"' in refused.text
        assert browser.get(unknown).json()["code"] == "oidc_state_unknown"

        page = browser.get("/auth/oidc/login?next=/auth/me")
        assert page.status_code == 200 and str(page.url).startswith(issuer), page.text
        form = Form(page)
        assert form.fields == ["sub"]
        back = browser.post(form.action, data={"sub": "ann@example.org"})
        assert str(back.url) == f"{served.url}/auth/me", back.text
        me = back.json()
        assert me["role"] == "viewer" and me["name"].startswith("user:")
        (callback,) = [answer for answer in back.history if "/auth/oidc/callback" in str(answer.url)]
        session, attempt = (_cookie(callback, name) for name in ("fastflow_session", "fastflow_oidc"))
        assert session["httponly"] and session["samesite"].lower() == "lax" and session["path"] == "/"
        assert not session["secure"] and int(session["max-age"]) > 0  # plain HTTP, as it was asked
        assert attempt["max-age"] == "0", "the login's own cookie is gone"
        assert browser.get("/runs").status_code == 200
        assert browser.post("/auth/logout").status_code == 403  # a page elsewhere cannot do it
        kept = browser.cookies["fastflow_session"]
        assert browser.post("/auth/logout", headers={"X-CSRF-Token": me["csrf_token"]}).status_code == 204
        assert browser.get("/auth/me").status_code == 401
        replayed = httpx.get(f"{served.url}/auth/me", headers={"Cookie": f"fastflow_session={kept}"})
        assert replayed.status_code == 401, "the session itself is over, not the cookie alone"
        assert me["is_from_provider"], "so a page knows where to go after the logout here"
        there = browser.get("/auth/oidc/logout", follow_redirects=False)
        assert there.status_code == 302 and there.headers["location"].startswith(f"{issuer}/oauth2/end_session?")
        asked = parse_qs(urlsplit(there.headers["location"]).query)
        (hint,) = asked.pop("id_token_hint")
        assert hint.count(".") == 2 and asked == {
            "client_id": ["fastflow"],
            "post_logout_redirect_uri": [f"{served.url}/ui/login"],
        }
        token = _cookie(callback, "fastflow_id_token")
        assert (
            token.value == hint
            and token["httponly"]
            and (token["samesite"].lower(), token["path"]) == ("strict", "/auth")
        )
        assert _cookie(there, "fastflow_id_token")["max-age"] == "0"
        assert browser.get("/ui/login").status_code == 200, "where the provider sends the browser needs no login"


def _cookie(answer: httpx.Response, name: str) -> Morsel[str]:
    """The cookie of that name that the answer sets."""
    (line,) = [line for line in answer.headers.get_list("set-cookie") if line.startswith(f"{name}=")]
    return SimpleCookie(line)[name]
