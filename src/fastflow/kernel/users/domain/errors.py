"""What can go wrong with users, logins and tokens."""

from fastflow.kit.errors import CapacityExceeded, Conflict, Forbidden, Unauthenticated, Unavailable


class LoginRefused(Unauthenticated):
    """Name or password is wrong; which of them is not told."""

    default_code = "login_refused"
    default_hint = (
        "Check name and password; an administrator can set a new one with `fastflow users reset-password NAME`."
    )


class AccountDisabled(Forbidden):
    """Name and password are right, but the account is disabled."""

    default_code = "account_disabled"
    default_hint = "Ask an administrator to enable the account."


class PasswordChangeRequired(Forbidden):
    """The password was given by somebody else and has to be replaced first."""

    default_code = "password_change_required"
    default_hint = "Set a password of your own with `PUT /auth/password`, then repeat the request."


class TooManyLogins(CapacityExceeded):
    """Too many failed logins for this name or from this address."""

    default_code = "too_many_logins"
    default_hint = "Wait for the time in Retry-After; an administrator can set a new password meanwhile."


class LastAdmin(Conflict):
    """The change would leave nobody who can administer."""

    default_code = "last_admin"
    default_hint = "Give another enabled user the role admin first."


class OidcRefused(Unauthenticated):
    """The login through the provider does not hold, or is not allowed here."""

    default_code = "oidc_refused"
    default_hint = "Begin again with `GET /auth/oidc/login`; the server's audit log tells more."


class OidcUnavailable(Unavailable):
    """The provider cannot be asked."""

    default_code = "oidc_unavailable"
    default_hint = "Try again shortly, or log in with name and password; OIDC_ISSUER must be reachable from the server."
