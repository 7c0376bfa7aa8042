"""Roles on some pipelines: what a grant may name, and how a set of them changes."""

import re
from collections.abc import Collection, Sequence

from fastflow.kit.errors import InvalidInput, NotFound
from fastflow.kit.identity import Grant, Role

MAX_GRANTS = 200
"""Each is looked at for every request."""
_PATTERN = re.compile(r"[A-Za-z0-9_*?][A-Za-z0-9_.*?-]{0,199}")


def check_pattern(pattern: str, field: str = "pipelines") -> str:
    """`pattern`, when it can stand for pipelines.

    Raises:
        InvalidInput: it cannot.
    """
    if not _PATTERN.fullmatch(pattern):
        problem = f"{pattern[:80]!r} is neither a pipeline's name nor a pattern"
        raise InvalidInput(
            f"The pipelines are not usable: {problem}.",
            code="invalid_pattern",
            hint="Give a pipeline's name, or a pattern in which `*` stands for any text: `billing-*`.",
            fields={field: problem},
        )
    return pattern


def check_grant(role: Role, pipelines: str) -> Grant:
    """The grant, when it allows something and names pipelines.

    Raises:
        InvalidInput: it does not.
    """
    if role is Role.NONE:
        raise InvalidInput(
            "A grant of the role none allows nothing.",
            code="invalid_role",
            hint="Grant viewer, operator or admin; to take a grant back, revoke it.",
            fields={"role": "must be viewer, operator or admin"},
        )
    return Grant(role=role, pipelines=check_pattern(pipelines))


def with_grant(grants: Collection[Grant], added: Grant) -> tuple[Grant, ...]:
    """The grants with one more; it takes the place of another on the same name or pattern.

    Raises:
        InvalidInput: there would be too many.
    """
    kept = [grant for grant in grants if grant.pipelines != added.pipelines]
    return check_count([*kept, added])


def without_grant(grants: Collection[Grant], pipelines: str) -> tuple[Grant, ...]:
    """The grants without the one on this name or pattern.

    Raises:
        NotFound: there is none on it.
    """
    kept = tuple(grant for grant in grants if grant.pipelines != pipelines)
    if len(kept) == len(grants):
        raise NotFound(
            f"There is no grant on {pipelines[:80]!r}.",
            code="unknown_grant",
            hint="Name it as it was granted, pattern and all; `GET /users/{name}/grants` lists them.",
        )
    return kept


def check_count(grants: Sequence[Grant]) -> tuple[Grant, ...]:
    """The grants, by name or pattern.

    Raises:
        InvalidInput: there are too many.
    """
    if len(grants) > MAX_GRANTS:
        raise InvalidInput(
            f"More than {MAX_GRANTS} grants cannot be kept.",
            code="too_many_grants",
            hint="Name the pipelines by patterns, such as `billing-*`.",
            fields={"pipelines": f"would be grant {len(grants)} of at most {MAX_GRANTS}"},
        )
    return tuple(sorted(grants, key=lambda grant: grant.pipelines))
