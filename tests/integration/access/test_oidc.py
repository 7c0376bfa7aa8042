"""Logins with an OpenID Connect provider: the whole round trip with a real one, and everything that must not get in."""

import asyncio
import warnings
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from fastflow.kernel.audit.wiring import build_audit
from fastflow.kernel.db.engine import Database
from fastflow.kernel.http.access import SESSION_COOKIE
from fastflow.kernel.http.app import build_app
from fastflow.kernel.users.infra.oidc_provider import HttpIdentityProvider
from fastflow.kernel.users.router import Authenticator, build_router
from fastflow.kernel.users.wiring import OidcSetup, UsersRoom, build_users
from fastflow.kit.identity import SYSTEM, Role
from fastflow.kit.secret_text import SecretText
from fastflow.testing.access import cheap_hasher
from fastflow.testing.clock import FakeClock
from fastflow.testing.http import client_of

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the provider under test alone

GROUPS = '{"ops": "operator", "billing": ["admin:billing-*"], "admins": "admin"}'


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    """A real provider in a thread of its own, by its address."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import oidc_provider_mock

    with oidc_provider_mock.run_server_in_thread(require_nonce=True) as server:
        yield f"http://localhost:{server.server_port}"


@dataclass(frozen=True, kw_only=True)
class Scene:
    """The rooms with a provider, and a browser."""

    issuer: str
    people: UsersRoom
    browser: httpx.AsyncClient
    database: Database

    async def begin(self, path: str = "/auth/oidc/login") -> str:
        """Where the browser is sent."""
        answer = await self.browser.get(path)
        assert answer.status_code == 302, answer.text
        return answer.headers["location"]

    async def consent(self, url: str, subject: str, **claims: object) -> str:
        """Log in at the provider; the path and query with which it sends the browser back."""
        async with httpx.AsyncClient() as there:
            await there.put(f"{self.issuer}/users/{subject}", json=claims)
            answer = await there.post(url, data={"sub": subject})
        back = urlsplit(answer.headers["location"])
        return f"{back.path}?{back.query}"

    async def log_in(self, subject: str, **claims: object) -> httpx.Response:
        """The whole way."""
        return await self.browser.get(await self.consent(await self.begin(), subject, **claims))

    async def audited(self, action: str) -> list[dict[str, object]]:
        """What the audit log has of it, latest first."""
        page = await asyncio.to_thread(build_audit(self.database).list, limit=100)
        return [dict(entry.detail) for entry in page.items if entry.action == action]


@pytest.fixture
def rules() -> Mapping[str, Any]:
    """Groups decide; whoever is in none is refused."""
    return {"groups": GROUPS, "default_role": "none"}


@pytest.fixture
async def scene(database: Database, clock: FakeClock, issuer: str, rules: Mapping[str, Any]) -> AsyncIterator[Scene]:
    setup = OidcSetup(issuer=issuer, client_id="fastflow", client_secret="not secret at all", **rules)
    people = build_users(database, clock=clock, hasher=cheap_hasher(), oidc=setup)
    authenticator = Authenticator(people.logins, people.tokens)
    app = build_app(
        [build_router(people.users, people.logins, people.tokens, people.federated)],
        authenticate=authenticator,
        credentials_changed=authenticator.forget,
    )
    async with client_of(app) as browser:
        yield Scene(issuer=issuer, people=people, browser=browser, database=database)


async def test_login_when_the_provider_agrees_makes_the_user_and_a_session(scene: Scene) -> None:
    url = await scene.begin("/auth/oidc/login?next=/docs")
    asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
    assert {"state", "nonce", "code_challenge", "redirect_uri"} <= asked.keys()
    back = await scene.consent(url, "s-1", preferred_username="Ann.Lee", groups=["ops", "billing"])
    answer = await scene.browser.get(back)
    assert (answer.status_code, answer.headers["location"]) == (303, "/docs"), answer.text
    me = (await scene.browser.get("/auth/me")).json()
    assert (me["name"], me["role"], me["must_change_password"]) == ("user:ann.lee", "operator", False)
    assert me["grants"] == [{"role": "admin", "pipelines": "billing-*"}]
    (session,) = (await scene.browser.get("/auth/sessions")).json()["items"]
    assert session["method"] == "oidc"
    headers = {"X-CSRF-Token": me["csrf_token"]}
    assert (await scene.browser.post("/auth/logout", headers=headers)).status_code == 204
    assert (await scene.browser.get("/auth/me")).status_code == 401


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_logout_when_the_provider_has_no_place_for_it_then_a_browser_is_sent_to_our_page(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    await scene.log_in("s-9", groups=["ops"])
    assert (await scene.browser.get("/auth/me")).json()["is_from_provider"]
    monkeypatch.setattr(HttpIdentityProvider, "logout_url", lambda _self, **_given: None)
    program = await scene.browser.get("/auth/oidc/logout")
    assert (program.status_code, program.json()["code"]) == (404, "oidc_no_logout")
    page = await scene.browser.get("/auth/oidc/logout", headers={"Accept": "text/html,*/*"})
    assert (page.status_code, page.headers["location"]) == (302, "/")
    assert not (await scene.browser.get("/auth/me")).json()["is_from_provider"], "the browser has forgotten the token"


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_callback_when_replayed_forged_or_from_another_browser_is_refused(scene: Scene, clock: FakeClock) -> None:
    back = await scene.consent(await scene.begin(), "s-2", groups=["ops"])
    cookies = dict(scene.browser.cookies)
    scene.browser.cookies.clear()
    stolen = await scene.browser.get(back)
    assert (stolen.status_code, stolen.json()["code"]) == (401, "oidc_state_mismatch")
    scene.browser.cookies.update(cookies)
    again = await scene.browser.get(back)
    assert again.json()["code"] == "oidc_state_unknown", "a state is used up by the first who brings it"
    unknown = await scene.browser.get("/auth/oidc/callback?state=made-up&code=x&scope=extra")
    assert unknown.json()["code"] == "oidc_state_unknown"
    late = await scene.consent(await scene.begin(), "s-2")
    clock.advance(601)
    assert (await scene.browser.get(late)).json()["code"] == "oidc_state_expired"
    other = await scene.consent(await scene.begin(), "s-2")
    wrong = other.replace("code=", "code=x")
    assert (await scene.browser.get(wrong)).json()["code"] == "oidc_code_refused"
    assert SESSION_COOKIE not in scene.browser.cookies
    assert scene.people.users.list().items == []
    assert [told["why"] for told in await scene.audited("user.login_refused")] == [
        "oidc_code_refused",
        "oidc_state_expired",
        "oidc_state_unknown",
        "oidc_state_unknown",
        "oidc_state_mismatch",
    ]


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_login_when_the_groups_change_changes_the_rights_but_never_takes_the_last_admin(scene: Scene) -> None:
    assert (await scene.log_in("s-3", preferred_username="root", groups=["admins"])).status_code == 303
    assert scene.people.users.get("root").role is Role.ADMIN
    await scene.log_in("s-3", preferred_username="root", groups=["ops"])
    assert scene.people.users.get("root").role is Role.ADMIN, "nobody would be left who can administer"
    scene.people.users.create("second", SecretText("a long password"), Role.ADMIN, actor=SYSTEM)
    await scene.log_in("s-3", preferred_username="renamed", groups=["ops"])
    assert scene.people.users.get("root").role is Role.OPERATOR, "known by the subject, whatever the name"
    refused = await scene.log_in("s-3", groups=["strangers"])
    assert (refused.status_code, refused.json()["code"]) == (401, "oidc_no_role")


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_login_when_a_local_user_has_the_name_is_somebody_else(scene: Scene) -> None:
    scene.people.users.create("ann", SecretText("a long password"), Role.ADMIN, actor=SYSTEM)
    await scene.log_in("s-4", preferred_username="ann", groups=["ops"])
    assert (await scene.browser.get("/auth/me")).json()["name"] == "user:ann-2"
    scene.people.users.change("ann-2", disabled=True, actor=SYSTEM)
    refused = await scene.log_in("s-4", preferred_username="ann", groups=["ops"])
    assert (refused.status_code, refused.json()["code"]) == (403, "account_disabled")


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
@pytest.mark.parametrize("rules", [{"email_domains": ("example.org",)}])
async def test_login_when_the_address_is_unverified_or_of_another_domain_is_refused(scene: Scene) -> None:
    for claims in (
        {},
        {"email": "a@evil.example", "email_verified": True},
        {"email": "a@example.org", "email_verified": False},
        {"email": "a@example.org.evil.example", "email_verified": True},
    ):
        refused = await scene.log_in("s-5", **claims)
        assert (refused.status_code, refused.json()["code"]) == (401, "oidc_domain_not_allowed"), claims
    assert (await scene.log_in("s-5", email="a@Example.org", email_verified=True)).status_code == 303
    assert (await scene.browser.get("/auth/me")).json()["name"] == "user:a"
