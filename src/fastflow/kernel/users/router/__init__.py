"""`/auth`, `/users`, `/tokens`, and who a request comes from."""

from fastapi import APIRouter

from fastflow.kernel.users.router import accounts, auth, sessions, tokens
from fastflow.kernel.users.router.authenticator import Authenticator
from fastflow.kernel.users.service import LoginService, TokenService, UserService

__all__ = ["Authenticator", "build_router"]


def build_router(users: UserService, logins: LoginService, token_service: TokenService) -> APIRouter:
    """Every operation of the room."""
    router = APIRouter()
    router.include_router(auth.build_router(users, logins))
    router.include_router(sessions.build_router(logins))
    router.include_router(accounts.build_router(users))
    router.include_router(tokens.build_router(token_service))
    return router
