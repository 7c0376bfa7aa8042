"""The use cases of users, logins and tokens."""

from fastflow.kernel.users.service.accounts import UserService
from fastflow.kernel.users.service.logins import LoginService
from fastflow.kernel.users.service.tokens import TokenService

__all__ = ["LoginService", "TokenService", "UserService"]
