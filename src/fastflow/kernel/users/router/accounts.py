"""`/users`."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from fastflow.kernel.http.access import Admin
from fastflow.kernel.http.params import Cursor, Limit, Text
from fastflow.kernel.http.problems import PROBLEM_RESPONSES
from fastflow.kernel.users.domain.accounts import parse_role
from fastflow.kernel.users.schemas import GrantIn, GrantList, UserChangeIn, UserIn, UserOut, UserPage, secret_text
from fastflow.kernel.users.service import UserService
from fastflow.kit.pages import DEFAULT_PAGE_SIZE

UserName = Annotated[str, Path(max_length=100, description="The user's name.")]


def build_router(users: UserService) -> APIRouter:
    """The operations on accounts; all need the role admin."""
    router = APIRouter(prefix="/users", tags=["users"], responses=PROBLEM_RESPONSES)

    @router.get("")
    def list_users(_actor: Admin, cursor: Cursor = None, limit: Limit = DEFAULT_PAGE_SIZE) -> UserPage:
        """Everybody who may log in, by name."""
        return UserPage.of(users.list(cursor=cursor, limit=limit))

    @router.post("", status_code=201)
    def create_user(actor: Admin, body: UserIn, response: Response) -> UserOut:
        """A new user, who has to replace the given password at the first login."""
        user = users.create(body.name, secret_text(body.password), parse_role(body.role), actor=actor)
        response.headers["Location"] = f"/users/{user.name}"
        return UserOut.of(user)

    @router.patch("/{name}")
    def change_user(actor: Admin, name: UserName, body: UserChangeIn, request: Request) -> UserOut:
        """Change role, password or whether the user is disabled; the last enabled admin stays one."""
        user = users.change(
            name,
            role=None if body.role is None else parse_role(body.role),
            disabled=body.disabled,
            password=None if body.password is None else secret_text(body.password),
            actor=actor,
        )
        request.app.state.credentials_changed()
        return UserOut.of(user)

    @router.delete("/{name}", status_code=204)
    def delete_user(actor: Admin, name: UserName, request: Request) -> None:
        """Remove a user and every session of theirs; the last enabled admin cannot be removed."""
        users.delete(name, actor=actor)
        request.app.state.credentials_changed()

    @router.get("/{name}/grants")
    def list_grants(_actor: Admin, name: UserName) -> GrantList:
        """The user's roles on some pipelines, which add to the role they have everywhere."""
        return GrantList.of(users.get(name))

    @router.put("/{name}/grants")
    def grant_role(actor: Admin, name: UserName, body: GrantIn, request: Request) -> GrantList:
        """Give the user a role on a pipeline, or on all that a pattern such as `billing-*` stands for. An earlier grant
        on the same name or pattern is replaced."""
        user = users.grant(name, parse_role(body.role), body.pipelines, actor=actor)
        request.app.state.credentials_changed()
        return GrantList.of(user)

    @router.delete("/{name}/grants")
    def revoke_role(
        actor: Admin,
        name: UserName,
        pipelines: Annotated[Text, Query(description="The name or pattern of the grant, as it was given.")],
        request: Request,
    ) -> GrantList:
        """Take a grant back."""
        user = users.revoke(name, pipelines, actor=actor)
        request.app.state.credentials_changed()
        return GrantList.of(user)

    return router
