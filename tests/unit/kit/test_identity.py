"""What an actor may do: the role everywhere, the scope that narrows it, and grants that add to it."""

import pytest

from fastflow.kit.errors import Forbidden
from fastflow.kit.identity import Actor, Grant, Role
from fastflow.kit.name_patterns import expand, matches


def _actor(role: Role = Role.NONE, pipelines: tuple[str, ...] | None = None, **grants: Role) -> Actor:
    given = [
        Grant(role=granted, pipelines=name.replace("_", "-").replace("STAR", "*")) for name, granted in grants.items()
    ]
    return Actor(name="user:ann", role=role, pipelines=pipelines, grants=given)


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("a", "a", True),
        ("a", "A", False),
        ("a", "ab", False),
        ("billing-*", "billing-", True),
        ("billing-*", "billing-daily", True),
        ("billing-*", "xbilling-daily", False),
        ("*", "anything", True),
        ("a.c", "abc", False),
        ("a?c", "abc", True),
        ("[ab]*", "a", False),
    ],
)
def test_pattern_when_compared_then_star_and_question_mark_alone_are_special(
    pattern: str, name: str, expected: bool
) -> None:
    assert matches(pattern, name) is expected


def test_patterns_when_expanded_then_plain_names_stay_and_wildcards_take_known_ones() -> None:
    assert expand(["gone", "b-*"], ["b-2", "b-1", "c"]) == ["b-1", "b-2", "gone"]


def test_role_on_a_pipeline_when_granted_is_the_highest_that_fits() -> None:
    actor = _actor(Role.VIEWER, billing_STAR=Role.OPERATOR, billing_daily=Role.ADMIN)
    assert actor.role_on("other") is Role.VIEWER
    assert actor.role_on("billing-weekly") is Role.OPERATOR
    assert actor.role_on("billing-daily") is Role.ADMIN


def test_role_when_scoped_is_nothing_outside() -> None:
    actor = _actor(Role.OPERATOR, pipelines=("billing-*",))
    assert actor.role_on("billing-a") is Role.OPERATOR
    assert actor.role_on("other") is Role.NONE
    with pytest.raises(Forbidden, match="no access"):
        actor.require_pipeline("other")


def test_requirement_when_the_role_on_the_pipeline_is_too_low_names_both() -> None:
    with pytest.raises(Forbidden, match=r"needs the role operator on the pipeline 'a'; user:ann is viewer there"):
        _actor(Role.VIEWER).require_pipeline("a", Role.OPERATOR)


@pytest.mark.parametrize(
    ("actor", "role", "reach"),
    [
        (_actor(Role.VIEWER), Role.VIEWER, None),
        (_actor(Role.VIEWER), Role.OPERATOR, ()),
        (_actor(), Role.VIEWER, ()),
        (_actor(a=Role.VIEWER, b=Role.OPERATOR), Role.VIEWER, ("a", "b")),
        (_actor(a=Role.VIEWER, b=Role.OPERATOR), Role.OPERATOR, ("b",)),
        (_actor(Role.OPERATOR, ("x",), a=Role.VIEWER), Role.VIEWER, ("a", "x")),
        (_actor(STAR=Role.VIEWER), Role.VIEWER, None),
    ],
)
def test_reach_when_asked_for_a_role_names_where_it_is_had(
    actor: Actor, role: Role, reach: tuple[str, ...] | None
) -> None:
    assert actor.reach(role) == reach


def test_role_when_it_is_granted_somewhere_is_not_had_everywhere() -> None:
    actor = _actor(a=Role.ADMIN)
    actor.require_somewhere(Role.ADMIN)
    with pytest.raises(Forbidden):
        actor.require(Role.VIEWER)


@pytest.mark.parametrize(
    ("name", "way_in"), [("user:ann", "ui"), ("token:ci", "api"), ("cli:root", "cli"), ("system", "api")]
)
def test_actor_when_asked_by_what_they_came_then_pages_api_and_command_line_are_told_apart(
    name: str, way_in: str
) -> None:
    assert Actor(name=name, role=Role.VIEWER).way_in == way_in
