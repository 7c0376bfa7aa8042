"""`/auth/oidc`: logging in with an OpenID Connect provider. A browser is sent there and comes back."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from fastflow.kernel.http.access import delete_cookie, read_cookie, set_cookie
from fastflow.kernel.http.params import Text
from fastflow.kernel.http.problems import PROBLEM_RESPONSES
from fastflow.kernel.users.router.auth import origin_of, replace_session
from fastflow.kernel.users.router.id_token import forget_id_token, keep_id_token, read_id_token
from fastflow.kernel.users.service import FederatedLogins, LoginService
from fastflow.kernel.users.service.federated import ATTEMPT_SECONDS, Answer
from fastflow.kit.errors import NotFound, Unavailable

COOKIE = "fastflow_oidc"
Part = Annotated[str | None, Query(max_length=4000, pattern="^[ -~]*$")]
"""ASCII, as RFC 6749 has it: four of them, percent signs and all, still fit into an address."""


def build_router(
    federated: FederatedLogins | None, logins: LoginService, *, public_url: str | None, logged_out: str
) -> APIRouter:
    """The operations.

    Args:
        federated: None: no provider is set.
        logins: sessions.
        public_url: at which browsers reach the server; None: as they say in their requests.
        logged_out: path of the page for those who have logged out.
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
        finished = _required(federated).finish(
            answer,
            browser=read_cookie(request, COOKIE),
            redirect_url=callback_url(request),
            origin=origin_of(request, "oidc"),
        )
        response = RedirectResponse(finished.path, status_code=303)
        replace_session(logins, finished.login, request, response)
        keep_id_token(response, request, finished.id_token, seconds=finished.login.lifetime_seconds)
        delete_cookie(response, request, COOKIE)
        return response

    @router.get("/logout", status_code=302, response_class=RedirectResponse)
    def end_oidc_session(request: Request) -> Response:
        """Send the browser to the provider to log out there as well, and then to this server's page for logging in.

        The session here is ended before, by a logout here; of that nothing is left but the provider's identity token, by
        which it knows whom to log out. A browser whose provider cannot be asked, or has no such place, is sent to that page.
        """
        try:
            url = _required(federated).logout_url(
                return_url=own_url(request, logged_out), id_token=read_id_token(request)
            )
        except (NotFound, Unavailable):
            if "text/html" not in request.headers.get("accept", ""):
                raise
            url = logged_out
        response = RedirectResponse(url, status_code=302)
        forget_id_token(response, request)
        return response

    return router


def _required(federated: FederatedLogins | None) -> FederatedLogins:
    if federated is None:
        raise NotFound(
            "No OpenID Connect provider is set up here.",
            code="oidc_not_set_up",
            hint="Log in with name and password; an administrator can set OIDC_ISSUER and OIDC_CLIENT_ID.",
        )
    return federated
