"""Which grants are accepted, and how a set of them changes."""

import pytest

from fastflow.kernel.users.domain.grants import MAX_GRANTS, check_grant, with_grant, without_grant
from fastflow.kit.errors import InvalidInput, NotFound
from fastflow.kit.identity import Grant, Role


@pytest.mark.parametrize("pattern", ["", "a b", "../x", "a/b", "-x", "x" * 201, "[a]"])
def test_grant_when_it_names_no_pipelines_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_grant(Role.VIEWER, pattern)
    assert "pipelines" in caught.value.fields


def test_grant_when_it_allows_nothing_is_refused() -> None:
    with pytest.raises(InvalidInput, match="allows nothing"):
        check_grant(Role.NONE, "a")


def test_grants_when_one_is_given_on_the_same_pattern_replace_it() -> None:
    grants = with_grant(with_grant((), check_grant(Role.VIEWER, "b-*")), check_grant(Role.ADMIN, "a"))
    assert with_grant(grants, check_grant(Role.OPERATOR, "b-*")) == (
        Grant(role=Role.ADMIN, pipelines="a"),
        Grant(role=Role.OPERATOR, pipelines="b-*"),
    )


def test_grants_when_one_is_taken_that_is_not_there_say_so() -> None:
    with pytest.raises(NotFound, match="no grant on 'b'"):
        without_grant((Grant(role=Role.ADMIN, pipelines="b*"),), "b")


def test_grants_when_too_many_are_refused() -> None:
    grants = tuple(Grant(role=Role.VIEWER, pipelines=f"p{number}") for number in range(MAX_GRANTS))
    with pytest.raises(InvalidInput, match="cannot be kept"):
        with_grant(grants, check_grant(Role.VIEWER, "one-more"))
