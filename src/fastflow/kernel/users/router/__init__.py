"""`/auth`, `/users`, `/tokens`, and who a request comes from."""

from fastapi import APIRouter

from fastflow.kernel.users.router import accounts, auth, oidc, sessions, tokens
from fastflow.kernel.users.router.authenticator import Authenticator
from fastflow.kernel.users.service import FederatedLogins, LoginService, TokenService, UserService

__all__ = ["Authenticator", "build_router"]


def build_router(
    users: UserService,
    logins: LoginService,
    token_service: TokenService,
    federated: FederatedLogins | None = None,
    *,
    public_url: str | None = None,
    logged_out: str = "/",
) -> APIRouter:
    """Every operation of the room.

    Args:
        users: accounts.
        logins: sessions.
        token_service: tokens of programs.
        federated: logins through a provider; None: none is set up.
        public_url: at which browsers reach the server; None: as they say in their requests.
        logged_out: path of the page for those who have logged out at the provider.
    """
    router = APIRouter()
    router.include_router(auth.build_router(users, logins))
    router.include_router(oidc.build_router(federated, logins, public_url=public_url, logged_out=logged_out))
    router.include_router(sessions.build_router(logins))
    router.include_router(accounts.build_router(users))
    router.include_router(tokens.build_router(token_service))
    return router
