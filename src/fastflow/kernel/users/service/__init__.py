"""The use cases of users, logins and tokens."""

from fastflow.kernel.users.service.accounts import UserService
from fastflow.kernel.users.service.federated import FederatedLogins
from fastflow.kernel.users.service.logins import LoginService
from fastflow.kernel.users.service.tokens import TokenService

__all__ = ["FederatedLogins", "LoginService", "TokenService", "UserService"]
