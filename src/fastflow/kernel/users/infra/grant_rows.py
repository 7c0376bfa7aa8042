"""Grants as the database keeps them: JSON in the row of their user or token, read along with it."""

from collections.abc import Collection, Mapping
from typing import Any

from fastflow.kernel.users.domain.accounts import parse_role
from fastflow.kit.identity import Grant


def grants_in(value: Collection[Mapping[str, str]] | None) -> tuple[Grant, ...]:
    """The grants of a row."""
    return tuple(Grant(role=parse_role(each["role"]), pipelines=each["pipelines"]) for each in value or ())


def grants_out(grants: Collection[Grant]) -> list[dict[str, Any]] | None:
    """The grants as a row keeps them."""
    return [{"role": grant.role.word, "pipelines": grant.pipelines} for grant in grants] or None
