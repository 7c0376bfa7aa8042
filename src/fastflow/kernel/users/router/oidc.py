"""`/auth/oidc`: logging in with an OpenID Connect provider. A browser is sent there and comes back."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from fastflow.kernel.http.access import delete_cookie, read_cookie, set_cookie
from fastflow.kernel.http.params import Text
from fastflow.kernel.http.problems import PROBLEM_RESPONSES
from fastflow.kernel.users.router.auth import origin_of, replace_session
from fastflow.kernel.users.service import FederatedLogins, LoginService
from fastflow.kernel.users.service.federated import ATTEMPT_SECONDS, Answer
from fastflow.kit.errors import NotFound

COOKIE = "fastflow_oidc"
Part = Annotated[str | None, Query(max_length=4000, pattern="^[ -~]*$")]
"""ASCII, as RFC 6749 has it: four of them, percent signs and all, still fit into an address."""


def build_router(federated: FederatedLogins | None, logins: LoginService, *, public_url: str | None) -> APIRouter:
    """The operations.

    Args:
        federated: None: no provider is set.
        logins: sessions.
        public_url: at which browsers reach the server; None: as they say in their requests.
    """
    router = APIRouter(prefix="/auth/oidc", tags=["auth"], responses=PROBLEM_RESPONSES)

    def own_url(request: Request, path: str) -> str:
        return (public_url or str(request.base_url)).rstrip("/") + path

    def callback_url(request: Request) -> str:
        return own_url(request, "/auth/oidc/callback")

    @router.get("/login", status_code=302, response_class=RedirectResponse)
    def begin_oidc_login(
        request: Request,
        return_to: Annotated[
            Text | None, Query(alias="next", description="Path of this server to go to after the login.")
        ] = None,
    ) -> Response:
        """Send the browser to the provider."""
        begun = _required(federated).begin(redirect_url=callback_url(request), return_to=return_to)
        answer = RedirectResponse(begun.url, status_code=302)
        set_cookie(answer, request, begun.browser.reveal(), seconds=ATTEMPT_SECONDS, name=COOKIE)
        return answer

    @router.get(
        "/callback", status_code=303, response_class=RedirectResponse, openapi_extra={"x-takes-any-query": True}
    )
    def finish_oidc_login(
        request: Request,
        state: Part = None,
        code: Part = None,
        error: Part = None,
        iss: Part = None,
    ) -> Response:
        """Where the provider sends the browser back to: begins the session."""
        answer = Answer(state=state, code=code, error=error, issuer=iss)
        begun, path = _required(federated).finish(
            answer,
            browser=read_cookie(request, COOKIE),
            redirect_url=callback_url(request),
            origin=origin_of(request, "oidc"),
        )
        response = RedirectResponse(path, status_code=303)
        replace_session(logins, begun, request, response)
        delete_cookie(response, request, COOKIE)
        return response

    @router.get("/logout", status_code=302, response_class=RedirectResponse)
    def end_oidc_session(request: Request) -> Response:
        """Send the browser to the provider to log out there as well, and then to this server's `/docs`.

        The session here is ended before, by a logout here; this changes nothing here.
        """
        url = _required(federated).logout_url(return_url=own_url(request, "/docs"))
        return RedirectResponse(url, status_code=302)

    return router


def _required(federated: FederatedLogins | None) -> FederatedLogins:
    if federated is None:
        raise NotFound(
            "No OpenID Connect provider is set up here.",
            code="oidc_not_set_up",
            hint="Log in with name and password; an administrator can set OIDC_ISSUER and OIDC_CLIENT_ID.",
        )
    return federated
