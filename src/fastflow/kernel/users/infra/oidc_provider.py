"""An OpenID Connect provider, asked over HTTP: its discovery document, its keys, and what it gives for a code."""

import base64
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import httpx
from authlib.common.urls import add_params_to_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from fastflow.kernel.users.domain.errors import OidcRefused, OidcUnavailable
from fastflow.kernel.users.domain.oidc import MAX_GROUPS, Claims, Provider
from fastflow.kit.secret_text import SecretText

_log = logging.getLogger("fastflow.users")
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""By public keys alone: never `none`, nor a shared secret that an identity token could be forged with."""
_DOCUMENT_SECONDS = 3600.0
_KEYS_AGAIN_SECONDS = 10.0
"""How long after fetching the keys an unknown one makes us fetch them again: not for every forged token."""
_LEEWAY_SECONDS = 60
_TIMEOUT_SECONDS = 10.0
_MAX_ANSWER = 2**20


class HttpIdentityProvider:
    """See `IdentityProvider`. What it has fetched is kept; keys it does not know make it fetch them anew.

    Args:
        provider: whom to ask.
        client: how; tests hand in their own.
        seconds: a clock that never jumps.
    """

    def __init__(
        self,
        provider: Provider,
        client: httpx.Client | None = None,
        *,
        seconds: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._provider = provider
        self._client = client or httpx.Client(timeout=_TIMEOUT_SECONDS, follow_redirects=False)
        self._seconds = seconds
        self._wall = wall
        self._lock = threading.Lock()
        self._document: tuple[float, Mapping[str, Any]] | None = None
        self._keys: tuple[float, KeySet] | None = None

    @property
    def issuer(self) -> str:
        """See `IdentityProvider.issuer`."""
        return self._provider.issuer

    def login_url(self, *, redirect_url: str, state: str, nonce: str, verifier: str) -> str:
        """See `IdentityProvider.login_url`."""
        wanted = {
            "response_type": "code",
            "client_id": self._provider.client_id,
            "redirect_uri": redirect_url,
            "scope": " ".join(self._provider.scopes),
            "state": state,
            "nonce": nonce,
            "code_challenge": create_s256_code_challenge(verifier),
            "code_challenge_method": "S256",
        }
        return str(add_params_to_uri(self._endpoint("authorization_endpoint"), list(wanted.items())))

    def logout_url(self, *, return_url: str, id_token: SecretText | None) -> str | None:
        """See `IdentityProvider.logout_url`."""
        endpoint = self._discovered().get("end_session_endpoint")
        if not isinstance(endpoint, str):
            return None
        told = {"client_id": self._provider.client_id, "post_logout_redirect_uri": return_url}
        if id_token is not None:
            told["id_token_hint"] = id_token.reveal()
        return str(add_params_to_uri(endpoint, list(told.items())))

    def redeem(self, code: str, *, redirect_url: str, nonce: str, verifier: str) -> Claims:
        """See `IdentityProvider.redeem`."""
        given = self._token(code, redirect_url, verifier)
        token = str(given.get("id_token") or "")
        claims = self._verified(token, nonce)
        if self._lacks(claims) and self._discovered().get("userinfo_endpoint") and given.get("access_token"):
            more = self._fetch("userinfo_endpoint", token=str(given["access_token"]))
            if more.get("sub") != claims["sub"]:
                raise _refused("the provider's user information is about somebody else", "oidc_wrong_subject")
            claims = {**more, **claims}
        return replace(self._claims(claims), id_token=SecretText(token))

    def _claims(self, claims: Mapping[str, Any]) -> Claims:
        email = claims.get("email")
        is_verified = claims.get("email_verified") in (True, "true") and isinstance(email, str)
        groups = claims.get(self._provider.group_claim) or ()
        if isinstance(groups, str):
            groups = [groups]
        return Claims(
            issuer=self._provider.issuer,
            subject=str(claims["sub"])[:255],
            email=str(email).strip().lower()[:254] if is_verified else None,
            name=str(claims.get("preferred_username") or claims.get("nickname") or "") or None,
            groups=tuple(str(group) for group in list(groups)[:MAX_GROUPS]),
        )

    def _lacks(self, claims: Mapping[str, Any]) -> bool:
        return not {"email", "email_verified", "preferred_username", self._provider.group_claim} <= claims.keys()

    def _token(self, code: str, redirect_url: str, verifier: str) -> Mapping[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_url,
            "client_id": self._provider.client_id,
            "code_verifier": verifier,
        }
        headers = {}
        secret = self._provider.client_secret
        if secret is not None:
            methods = self._discovered().get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
            if "client_secret_basic" in methods:
                pair = f"{quote(self._provider.client_id, safe='')}:{quote(secret.reveal(), safe='')}"
                headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
            else:
                form["client_secret"] = secret.reveal()
        answer = self._ask("POST", self._endpoint("token_endpoint"), data=form, headers=headers)
        if answer.status_code in (400, 401, 403):
            told = _json(answer).get("error", answer.status_code)
            raise _refused(f"the provider refuses the code ({str(told)[:80]})", "oidc_code_refused")
        return self._good(answer)

    def _verified(self, token: str, nonce: str) -> Mapping[str, Any]:
        """The claims of an identity token whose signature, issuer, audience, times and nonce hold."""
        try:
            claims = self._decoded(token)
        except (JoseError, ValueError) as error:
            _log.warning("oidc.token_refused", extra={"fields": {"why": type(error).__name__}})
            raise _refused("the signature of its identity token does not hold", "oidc_bad_signature") from error
        problem = self._problem(claims, nonce)
        if problem is not None:
            raise _refused(f"its identity token {problem[1]}", problem[0])
        return claims

    def _decoded(self, token: str) -> Mapping[str, Any]:
        known_at, keys = self._known_keys()
        try:
            return dict(jwt.decode(token, keys, algorithms=list(_ALGORITHMS)).claims)
        except (JoseError, ValueError):
            if self._seconds() - known_at < _KEYS_AGAIN_SECONDS:
                raise
        _, keys = self._known_keys(anew=True)  # the provider may have changed its keys
        return dict(jwt.decode(token, keys, algorithms=list(_ALGORITHMS)).claims)

    def _problem(self, claims: Mapping[str, Any], nonce: str) -> tuple[str, str] | None:
        audience = claims.get("aud")
        audiences = [audience] if isinstance(audience, str) else list(audience or ())
        ours, now = self._provider.client_id, self._wall()
        expires, made = claims.get("exp"), claims.get("iat", now)
        if claims.get("iss") != self._provider.issuer:
            return "oidc_wrong_issuer", "is of another issuer"
        if ours not in audiences or (len(audiences) > 1 and claims.get("azp") != ours):
            return "oidc_wrong_audience", "is for somebody else"
        if not isinstance(expires, int | float) or expires + _LEEWAY_SECONDS < now:
            return "oidc_token_expired", "has expired"
        if not isinstance(made, int | float) or made - _LEEWAY_SECONDS > now:
            return "oidc_token_from_the_future", "is from the future; compare the clocks"
        if claims.get("nonce") != nonce:
            return "oidc_wrong_nonce", "belongs to another login"
        if not claims.get("sub"):
            return "oidc_no_subject", "names nobody"
        return None

    def _known_keys(self, *, anew: bool = False) -> tuple[float, KeySet]:
        with self._lock:
            known = self._keys
        if known is not None and not anew:
            return known
        told = self._fetch("jwks_uri")
        try:
            known = self._seconds(), KeySet.import_key_set(told)  # type: ignore[arg-type]  # checked by the import
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise OidcUnavailable("The provider's keys cannot be read.") from error
        with self._lock:
            self._keys = known
        return known

    def _discovered(self) -> Mapping[str, Any]:
        with self._lock:
            known = self._document
        if known is not None and self._seconds() - known[0] < _DOCUMENT_SECONDS:
            return known[1]
        url = self._provider.issuer.rstrip("/") + "/.well-known/openid-configuration"
        document = self._good(self._ask("GET", url))
        if document.get("issuer") != self._provider.issuer:
            raise OidcUnavailable(
                "The provider's discovery document is of another issuer.",
                hint="Set OIDC_ISSUER to exactly the `issuer` that the document names, final slash and all.",
            )
        with self._lock:
            self._document = self._seconds(), document
        return document

    def _endpoint(self, name: str) -> str:
        url = self._discovered().get(name)
        if not isinstance(url, str):
            raise OidcUnavailable(f"The provider's discovery document names no {name}.")
        return url

    def _fetch(self, endpoint: str, token: str | None = None) -> Mapping[str, Any]:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return self._good(self._ask("GET", self._endpoint(endpoint), headers=headers))

    def _ask(self, method: str, url: str, **given: Any) -> httpx.Response:
        try:
            return self._client.request(method, url, **given)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise OidcUnavailable(
                f"The provider {self._provider.issuer} does not answer: {type(error).__name__}.", retry_after_seconds=5
            ) from error

    def _good(self, answer: httpx.Response) -> Mapping[str, Any]:
        if answer.status_code != 200 or len(answer.content) > _MAX_ANSWER:
            raise OidcUnavailable(
                f"The provider {self._provider.issuer} answers with status {answer.status_code}.", retry_after_seconds=5
            )
        return _json(answer)


def _json(answer: httpx.Response) -> Mapping[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise OidcUnavailable("The provider's answer is not a JSON object.")
    return found


def _refused(what: str, code: str) -> OidcRefused:
    return OidcRefused(f"The login does not hold: {what}.", code=code)
