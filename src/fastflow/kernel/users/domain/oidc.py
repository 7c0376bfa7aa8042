"""Logging in with an OpenID Connect provider: what is asked for, what it says of somebody, and what that allows here."""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from fastflow.kernel.users.domain.accounts import parse_role
from fastflow.kernel.users.domain.grants import check_grant, with_grant
from fastflow.kit.errors import InvalidInput
from fastflow.kit.identity import Grant, Role
from fastflow.kit.secret_text import SecretText

MAX_GROUPS = 1000
_NOT_IN_NAMES = re.compile(r"[^a-z0-9._-]+")
_LONGEST_NAME = 50


@dataclass(frozen=True, kw_only=True)
class Rights:
    """What a group allows: a role everywhere, and roles on some pipelines."""

    role: Role = Role.NONE
    grants: tuple[Grant, ...] = ()


@dataclass(frozen=True, kw_only=True)
class OidcRules:
    """How logins through the provider are treated.

    Attributes:
        group_rights: group -> what it allows; empty: groups are not looked at, and everybody has `default_role`.
        default_role: of somebody in no mapped group; NONE refuses them.
        email_domains: the only domains of verified addresses that may log in; empty: any, and no address is needed.
        auto_create: make a user at the first login.
    """

    group_rights: Mapping[str, Rights] = field(default_factory=dict)
    default_role: Role = Role.VIEWER
    email_domains: Collection[str] = ()
    auto_create: bool = True


@dataclass(frozen=True, kw_only=True)
class Provider:
    """The provider, and who we are to it."""

    issuer: str
    client_id: str
    client_secret: SecretText | None = None
    scopes: tuple[str, ...] = ("openid", "email", "profile")
    group_claim: str = "groups"


@dataclass(frozen=True, kw_only=True)
class Claims:
    """What the provider says of somebody, after its signature was checked.

    Attributes:
        subject: its own lasting id of them; nothing else is.
        email: None unless it says that it has verified it.
        id_token: in which it says so; shown to it again at the logout. None: it is not kept.
    """

    issuer: str
    subject: str
    email: str | None
    name: str | None
    groups: tuple[str, ...]
    id_token: SecretText | None = None


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A login that was begun: kept until it comes back, once.

    Attributes:
        browser_hash: hash of the cookie of the browser that began it.
        return_to: path of ours to go to afterwards.
    """

    state_hash: str
    browser_hash: str
    nonce: str
    verifier: SecretText
    return_to: str
    expires_at: datetime


def rights_of(claims: Claims, rules: OidcRules) -> Rights | None:
    """What somebody may do; None: nothing, by the groups they are in."""
    found = [rules.group_rights[group] for group in claims.groups if group in rules.group_rights]
    if not found:
        return Rights(role=rules.default_role) if rules.default_role is not Role.NONE else None
    grants: dict[str, Grant] = {}
    for grant in (grant for rights in found for grant in rights.grants):
        known = grants.get(grant.pipelines)
        grants[grant.pipelines] = grant if known is None or known.role < grant.role else known
    return Rights(role=max(rights.role for rights in found), grants=tuple(grants[key] for key in sorted(grants)))


def parse_group_rights(text: str) -> Mapping[str, Rights]:
    """`{"ops": "admin", "billing": ["viewer", "operator:billing-*"]}` as rights.

    Raises:
        InvalidInput: it is not of that form; names the group.
    """
    try:
        given = json.loads(text)
    except ValueError as error:
        raise _bad_groups(f"is not JSON: {error}") from error
    if not isinstance(given, dict):
        raise _bad_groups("is not a JSON object")
    return {group: _rights(group, told) for group, told in given.items()}


def _rights(group: str, told: object) -> Rights:
    words = [told] if isinstance(told, str) else told
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise _bad_groups(f"of the group {group!r} is neither a text nor a list of texts")
    role, grants = Role.NONE, tuple[Grant, ...]()
    try:
        for word in words:
            name, colon, pipelines = word.partition(":")
            if colon:
                grants = with_grant(grants, check_grant(parse_role(name), pipelines))
            else:
                role = max(role, parse_role(name))
    except InvalidInput as error:
        raise _bad_groups(f"of the group {group!r} cannot be read: {error.message}") from error
    return Rights(role=role, grants=grants)


def _bad_groups(problem: str) -> InvalidInput:
    return InvalidInput(
        f"OIDC_GROUPS {problem}",
        code="invalid_setting",
        hint='Write {"GROUP": "ROLE"} or {"GROUP": ["ROLE", "ROLE:PIPELINES"]}, such as {"billing": ["operator:billing-*"]}.',
        fields={"OIDC_GROUPS": problem},
    )


def name_for(claims: Claims) -> str:
    """A user name made of what the provider says; another user may have it already."""
    text = (claims.name or claims.email or "").partition("@")[0].lower()
    text = _NOT_IN_NAMES.sub("-", text).strip("-._")[:_LONGEST_NAME]
    return text if text[:1].isalpha() else f"user-{text}".rstrip("-")


def is_domain_allowed(claims: Claims, rules: OidcRules) -> bool:
    """Whether the verified address is of a domain that may log in."""
    if not rules.email_domains:
        return True
    domain = (claims.email or "").rpartition("@")[2].lower()
    return domain in {each.lower() for each in rules.email_domains}


def safe_path(path: str | None) -> str:
    """A path of ours to go to after the login: never an address of somebody else's.

    >>> safe_path("/ui/runs?x=1"), safe_path("//evil.example"), safe_path("https://evil.example"), safe_path(None)
    ('/ui/runs?x=1', '/', '/', '/')
    """
    if path is None or not path.startswith("/") or path[1:2] in ("/", "\\") or not path.isprintable():
        return "/"
    return path
