"""Users: the first admin, and what administrators do with accounts."""

import secrets

from fastflow.kernel.users.domain.accounts import User, UserChange, check_password, check_user_name
from fastflow.kernel.users.domain.grants import check_grant, with_grant, without_grant
from fastflow.kernel.users.ports import PasswordHasher, UserStore
from fastflow.kit.clock import Clock
from fastflow.kit.errors import Conflict, InvalidInput, NotFound
from fastflow.kit.identity import SYSTEM, Actor, Role
from fastflow.kit.ids import new_id
from fastflow.kit.pages import DEFAULT_PAGE_SIZE, Page, decode_cursor, encode_cursor
from fastflow.kit.secret_text import SecretText

FIRST_ADMIN = "admin"
_ONE_TIME_BYTES = 12
"""96 random bits: 16 characters that can be typed."""


class UserService:
    """Accounts of people."""

    def __init__(self, users: UserStore, hasher: PasswordHasher, clock: Clock) -> None:
        self._users = users
        self._hasher = hasher
        self._clock = clock

    def ensure_first_admin(self) -> str | None:
        """Make the user `admin` if there is no user at all.

        Returns:
            The one-time password, to be shown once; None when there was a user already.
        """
        if not self._users.is_empty():
            return None
        password = secrets.token_urlsafe(_ONE_TIME_BYTES)
        added = self._users.add_first(self._new(FIRST_ADMIN, Role.ADMIN), self._hasher.hash(password), actor=SYSTEM)
        return password if added else None

    def list(self, *, cursor: str | None = None, limit: int = DEFAULT_PAGE_SIZE) -> Page[User]:
        """One page of users, by name.

        Raises:
            InvalidInput: the cursor was not given out by this list.
        """
        after = str(decode_cursor(cursor, (str,))[0]) if cursor else ""
        found = self._users.load(after_name=after, limit=limit + 1)
        items = found[:limit]
        return Page(items=items, next_cursor=encode_cursor(items[-1].name) if len(found) > limit else None)

    def get(self, name: str) -> User:
        """Raises:
        NotFound: there is no such user.
        """
        user = self._users.find(name) if name.isprintable() else None
        if user is None:
            raise NotFound(f"There is no user {name[:80]!r}.", code="unknown_user", hint="`GET /users` lists them.")
        return user

    def create(self, name: str, password: SecretText, role: Role, *, actor: Actor) -> User:
        """A new user, who has to replace the password at the first login.

        Raises:
            InvalidInput: the name or the password is not usable.
            Conflict: the name is taken.
        """
        user = self._new(check_user_name(name), role)
        self._users.add(user, self._hasher.hash(check_password(password, name)), actor=actor)
        return user

    def change(
        self,
        name: str,
        *,
        role: Role | None = None,
        disabled: bool | None = None,
        password: SecretText | None = None,
        actor: Actor,
    ) -> User:
        """Change a user; a new password has to be replaced at the next login and ends every session, as does disabling.

        Raises:
            NotFound: there is no such user.
            InvalidInput: the password is not usable.
            LastAdmin: nobody would be left who can administer.
        """
        self.get(name)
        password_hash = None if password is None else self._hasher.hash(check_password(password, name))
        change = UserChange(
            role=role,
            disabled=disabled,
            password_hash=password_hash,
            must_change_password=None if password is None else True,
        )
        return self._users.change(name, change, actor=actor, at=self._clock.now())

    def change_own_password(self, actor: Actor, current: SecretText, new: SecretText) -> User:
        """Replace one's own password and end every session; the caller has checked `current` with `LoginService`.

        Raises:
            InvalidInput: the new password is not usable, or is the current one.
            Conflict: the actor is no user.
        """
        name = user_name_of(actor)
        text = check_password(new, name, "new_password")
        if new == current:
            raise InvalidInput(
                "The new password is the current one.",
                code="weak_password",
                hint="Choose another one.",
                fields={"new_password": "must differ from the current one"},
            )
        change = UserChange(password_hash=self._hasher.hash(text), must_change_password=False)
        return self._users.change(name, change, actor=actor, at=self._clock.now())

    def grant(self, name: str, role: Role, pipelines: str, *, actor: Actor) -> User:
        """Give a user a role on some pipelines; it takes the place of an earlier grant on the same name or pattern.

        Raises:
            NotFound: there is no such user.
            InvalidInput: the role or the pattern is not usable, or there are too many grants.
        """
        self.get(name)
        added = check_grant(role, pipelines)
        return self._users.change(
            name, lambda user: UserChange(grants=with_grant(user.grants, added)), actor=actor, at=self._clock.now()
        )

    def revoke(self, name: str, pipelines: str, *, actor: Actor) -> User:
        """Take a grant back.

        Raises:
            NotFound: there is no such user, or no grant on exactly this name or pattern.
        """
        self.get(name)
        return self._users.change(
            name,
            lambda user: UserChange(grants=without_grant(user.grants, pipelines)),
            actor=actor,
            at=self._clock.now(),
        )

    def delete(self, name: str, *, actor: Actor) -> None:
        """Remove a user with every session. What they did stays in the audit log.

        Raises:
            NotFound: there is no such user.
            LastAdmin: nobody would be left who can administer.
        """
        self.get(name)
        self._users.delete(name, actor=actor, at=self._clock.now())

    def _new(self, name: str, role: Role) -> User:
        return User(
            id=new_id(),
            name=name,
            role=role,
            must_change_password=True,
            disabled=False,
            created_at=self._clock.now(),
        )


def user_name_of(actor: Actor) -> str:
    """The user behind the actor.

    Raises:
        Conflict: the actor is a token, the command line or the system.
    """
    kind, _, name = actor.name.partition(":")
    if kind != "user":
        raise Conflict(
            f"{actor.name} has no password.",
            code="no_password",
            hint="Log in as a user; `PATCH /users/{name}` sets somebody's password.",
        )
    return name
