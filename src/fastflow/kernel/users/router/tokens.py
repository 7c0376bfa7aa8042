"""`/tokens`."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from fastflow.kernel.http.access import Admin
from fastflow.kernel.http.params import Cursor, Limit
from fastflow.kernel.http.problems import PROBLEM_RESPONSES
from fastflow.kernel.users.domain.accounts import parse_role
from fastflow.kernel.users.schemas import NewTokenOut, TokenIn, TokenOut, TokenPage
from fastflow.kernel.users.service import TokenService
from fastflow.kit.pages import DEFAULT_PAGE_SIZE

TokenId = Annotated[str, Path(max_length=100, description="The token's id, as `GET /tokens` shows it.")]


def build_router(tokens: TokenService) -> APIRouter:
    """The operations on bearer tokens; all need the role admin."""
    router = APIRouter(prefix="/tokens", tags=["tokens"], responses=PROBLEM_RESPONSES)

    @router.get("")
    def list_tokens(_actor: Admin, cursor: Cursor = None, limit: Limit = DEFAULT_PAGE_SIZE) -> TokenPage:
        """Every token, by name; never the tokens themselves."""
        return TokenPage.of(tokens.list(cursor=cursor, limit=limit))

    @router.post("", status_code=201)
    def create_token(actor: Admin, body: TokenIn, response: Response) -> NewTokenOut:
        """A new token, shown this once. Nobody can grant more than they have."""
        token, text = tokens.create(
            body.name,
            parse_role(body.role),
            pipelines=None if body.pipelines is None else tuple(body.pipelines),
            expires_at=body.expires_at,
            grants=tuple(grant.record() for grant in body.grants or ()),
            actor=actor,
        )
        response.headers["Location"] = f"/tokens/{token.id}"
        return NewTokenOut(**TokenOut.of(token).model_dump(), token=text.reveal())

    @router.delete("/{token_id}", status_code=204)
    def delete_token(actor: Admin, token_id: TokenId, request: Request) -> None:
        """Revoke a token: every process of the server refuses it within two seconds."""
        tokens.delete(token_id, actor=actor)
        request.app.state.credentials_changed()

    return router
