"""The room of users, tokens and one's own account."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from fastflow.kernel.users.service import LoginService, TokenService, UserService
from fastflow.kit.clock import Clock
from fastflow.kit.identity import Actor, Role
from fastflow.ui.manifest import Finder, Found, Manifest, NavEntry, PageSpec, fits
from fastflow.ui.texts import Data, Texts

_SEARCHED = 500
"""More users than this are found by their page alone."""


@dataclass(frozen=True, kw_only=True)
class Access:
    """What the room's pages work with.

    Attributes:
        forget: makes the server ask the database who a credential belongs to, after one has changed.
    """

    users: UserService
    logins: LoginService
    tokens: TokenService
    clock: Clock
    forget: Callable[[], None]


def manifest(
    users: UserService, logins: LoginService, tokens: TokenService, clock: Clock, forget: Callable[[], None]
) -> Manifest:
    """What it brings: users and each user, tokens, and one's own account."""
    access = Access(users=users, logins=logins, tokens=tokens, clock=clock, forget=forget)

    def load() -> Sequence[PageSpec]:
        from fastflow.ui.rooms.users.account import AccountPage
        from fastflow.ui.rooms.users.table import UserTable
        from fastflow.ui.rooms.users.tokens import TokenTable
        from fastflow.ui.rooms.users.user import UserPage

        return [
            PageSpec(path="/users", title="users.title", build=UserTable(access).build),
            PageSpec(path="/users/{name}", title="users.user_title", build=UserPage(access).build),
            PageSpec(path="/tokens", title="tokens.title", build=TokenTable(access).build),
            PageSpec(path="/account", title="account.title", build=AccountPage(access).build),
        ]

    nav = [
        _entry("/users", "users.title", "users", 80, "u"),
        _entry("/tokens", "tokens.title", "shield", 82, "t"),
        NavEntry(
            path="/account", label="account.title", icon="person", order=98, key="m", role=Role.NONE, is_apart=True
        ),
    ]
    return Manifest(
        name="users", texts=Path(__file__).parent / "texts.toml", load=load, nav=nav, finders=[_find_users(users)]
    )


def _find_users(users: UserService) -> Finder:
    """Users by a part of their name; nobody is listed before one is asked for."""

    def find(_t: Texts, actor: Actor, wanted: str) -> Sequence[Found]:
        if actor.role < Role.ADMIN or not wanted.strip():
            return []
        names = [user.name for user in users.list(limit=_SEARCHED).items]
        return [Found(label=Data(name), path=f"/users/{quote(name, safe='')}") for name in names if fits(name, wanted)]

    return Finder(title="users.title", find=find)


def _entry(path: str, label: str, icon: str, order: int, key: str) -> NavEntry:
    return NavEntry(path=path, label=label, icon=icon, order=order, key=key, role=Role.ADMIN, is_everywhere=True)
