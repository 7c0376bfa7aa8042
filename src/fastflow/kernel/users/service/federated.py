"""Logins through an OpenID Connect provider: authorisation code with PKCE, begun and finished by any process."""

import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta

from fastflow.kernel.users.domain.accounts import Login, SessionOrigin, User
from fastflow.kernel.users.domain.errors import AccountDisabled, OidcRefused
from fastflow.kernel.users.domain.oidc import (
    Attempt,
    Claims,
    OidcRules,
    Rights,
    is_domain_allowed,
    name_for,
    rights_of,
    safe_path,
)
from fastflow.kernel.users.ports import FederatedStore, IdentityProvider, PasswordHasher, UserStore
from fastflow.kernel.users.service.logins import LoginService, hash_token
from fastflow.kit.clock import Clock
from fastflow.kit.errors import FastFlowError, NotFound
from fastflow.kit.identity import SYSTEM
from fastflow.kit.ids import new_id
from fastflow.kit.secret_text import SecretText

ATTEMPT_SECONDS = 600
_NAMES_TRIED = 100


@dataclass(frozen=True, kw_only=True)
class Begun:
    """A login that was begun.

    Attributes:
        url: where the browser goes.
        browser: value of the cookie that binds the login to this browser.
    """

    url: str
    browser: SecretText


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the provider sent the browser back with; `issuer` as of RFC 9207, when it tells."""

    state: str | None
    code: str | None
    error: str | None
    issuer: str | None


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A login that succeeded.

    Attributes:
        path: of ours, to go to.
        id_token: what the provider vouched with; for the logout.
    """

    login: Login
    path: str
    id_token: SecretText | None


class FederatedLogins:
    """Who may log in through the provider, and as whom. Every refusal is audited and changes nothing else."""

    def __init__(
        self,
        *,
        provider: IdentityProvider,
        store: FederatedStore,
        users: UserStore,
        logins: LoginService,
        hasher: PasswordHasher,
        rules: OidcRules,
        clock: Clock,
    ) -> None:
        self._provider = provider
        self._store = store
        self._users = users
        self._logins = logins
        self._hasher = hasher
        self._rules = rules
        self._clock = clock

    def begin(self, *, redirect_url: str, return_to: str | None) -> Begun:
        """Begin a login.

        Raises:
            OidcUnavailable: the provider cannot be asked.
            CapacityExceeded: too many are under way.
        """
        state, browser, nonce, verifier = (secrets.token_urlsafe(size) for size in (32, 32, 24, 48))
        url = self._provider.login_url(redirect_url=redirect_url, state=state, nonce=nonce, verifier=verifier)
        now = self._clock.now()
        attempt = Attempt(
            state_hash=hash_token(state),
            browser_hash=hash_token(browser),
            nonce=nonce,
            verifier=SecretText(verifier),
            return_to=safe_path(return_to)[:2000],
            expires_at=now + timedelta(seconds=ATTEMPT_SECONDS),
        )
        self._store.begin(attempt, at=now)
        return Begun(url=url, browser=SecretText(browser))

    def logout_url(self, *, return_url: str, id_token: SecretText | None = None) -> str:
        """Where a browser goes to log out at the provider as well, and comes back from; see `IdentityProvider.logout_url`.

        Raises:
            NotFound: the provider names no such place.
            OidcUnavailable: it cannot be asked.
        """
        url = self._provider.logout_url(return_url=return_url, id_token=id_token)
        if url is None:
            raise NotFound(
                "The provider names no place to log out at.",
                code="oidc_no_logout",
                hint="Log out at the provider's own pages; the session here ends with a logout here.",
            )
        return url

    def finish(self, answer: Answer, *, browser: str | None, redirect_url: str, origin: SessionOrigin) -> Finished:
        """The session that begins.

        Raises:
            OidcRefused: something does not match, or is not allowed here; the code says what.
            AccountDisabled: the user is disabled.
            OidcUnavailable: the provider cannot be asked.
        """
        try:
            attempt = self._attempt(answer, browser)
            claims = self._claims(answer, attempt, redirect_url)
            user = self._user(claims)
        except FastFlowError as error:
            self._store.note_refusal(
                error.code, detail={"issuer": self._provider.issuer}, address=origin.address, at=self._clock.now()
            )
            raise
        login = self._logins.begin(user, origin)
        return Finished(login=login, path=attempt.return_to, id_token=claims.id_token)

    def _attempt(self, answer: Answer, browser: str | None) -> Attempt:
        attempt = self._store.take(hash_token(answer.state)) if answer.state else None
        if attempt is None:
            raise OidcRefused(
                "This login was not begun here, or was finished already: its state is unknown.",
                code="oidc_state_unknown",
                fields={"state": "is missing" if answer.state is None else "is unknown, or was used already"},
            )
        if attempt.expires_at <= self._clock.now():
            raise OidcRefused(
                "This login was begun more than 10 minutes ago.",
                code="oidc_state_expired",
                fields={"state": "is more than 10 minutes old"},
            )
        if browser is None or not hmac.compare_digest(hash_token(browser), attempt.browser_hash):
            raise OidcRefused(
                "This login was begun in another browser, or its cookie is gone.",
                code="oidc_state_mismatch",
                fields={"state": "is of a login that another browser began"},
                hint="Begin again with `GET /auth/oidc/login` in this browser, and allow its cookies.",
            )
        return attempt

    def _claims(self, answer: Answer, attempt: Attempt, redirect_url: str) -> Claims:
        if answer.error is not None:
            said = "".join(letter if letter.isprintable() else "?" for letter in answer.error[:100])
            raise OidcRefused(f"The provider did not log you in: {said}.", code="oidc_denied")
        if answer.issuer is not None and answer.issuer != self._provider.issuer:
            raise OidcRefused("The answer is not from the provider that was asked.", code="oidc_wrong_issuer")
        if not answer.code:
            raise OidcRefused("The provider sent no code.", code="oidc_no_code")
        return self._provider.redeem(
            answer.code, redirect_url=redirect_url, nonce=attempt.nonce, verifier=attempt.verifier.reveal()
        )

    def _user(self, claims: Claims) -> User:
        if not is_domain_allowed(claims, self._rules):
            raise OidcRefused(
                "Your e-mail address, as the provider has verified it, is not of a domain that may log in here.",
                code="oidc_domain_not_allowed",
                hint="Ask an administrator: OIDC_EMAIL_DOMAINS names the domains.",
            )
        rights = rights_of(claims, self._rules)
        if rights is None:
            raise OidcRefused(
                "None of your groups may use this server.",
                code="oidc_no_role",
                hint="Ask an administrator: OIDC_GROUPS says which groups may do what.",
            )
        user = self._store.find(claims.issuer, claims.subject)
        if user is None:
            return self._make(claims, rights)
        if user.disabled:
            raise AccountDisabled(f"The account {user.name!r} is disabled.")
        given = rights if self._rules.group_rights else None
        return self._store.enter(user, claims, given, password_hash=None, actor=SYSTEM, at=self._clock.now())

    def _make(self, claims: Claims, rights: Rights) -> User:
        if not self._rules.auto_create:
            raise OidcRefused(
                "There is no user for you here.",
                code="oidc_unknown_user",
                hint="Ask an administrator to add you; OIDC_AUTO_CREATE is off.",
            )
        user = User(
            id=new_id(),
            name=self._free_name(claims),
            role=rights.role,
            must_change_password=False,
            disabled=False,
            created_at=self._clock.now(),
        )
        nobody_knows = self._hasher.hash(secrets.token_urlsafe(32))
        return self._store.enter(user, claims, rights, password_hash=nobody_knows, actor=SYSTEM, at=self._clock.now())

    def _free_name(self, claims: Claims) -> str:
        base = name_for(claims)
        for number in range(1, _NAMES_TRIED):
            name = base if number == 1 else f"{base}-{number}"
            if self._users.find(name) is None:
                return name
        return f"{base}-{secrets.token_hex(4)}"
