"""Names, scopes, roles and passwords obey their rules; no message repeats a password."""

import pytest

from fastflow.kernel.users.domain.accounts import (
    check_password,
    check_scope,
    check_token_name,
    check_user_name,
    parse_grant,
    parse_role,
)
from fastflow.kit.errors import InvalidInput
from fastflow.kit.identity import Grant, Role
from fastflow.kit.secret_text import SecretText


@pytest.mark.parametrize("name", ["a", "ann.b-c_9", "x" * 63])
def test_user_name_when_it_obeys_the_rules_is_taken(name: str) -> None:
    assert check_user_name(name) == name


@pytest.mark.parametrize("name", ["", "A", "9a", "ä", "a b", "../etc", "a\n", "a\0", "x" * 64, "-a"])
def test_user_name_when_it_breaks_a_rule_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_user_name(name)
    assert "name" in caught.value.fields


@pytest.mark.parametrize("name", ["", " a", "a\n", "x" * 81, "a/b", "\0"])
def test_token_name_when_it_breaks_a_rule_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput):
        check_token_name(name)


@pytest.mark.parametrize(
    ("password", "problem"),
    [
        ("short", "at least 10"),
        ("administrator", "user's name"),
        ("AdministratoradministratoR", "user's name"),
        ("ababababab", "different characters"),
        ("x" * 190 + "abcdefghijkl", "at most 200"),
    ],
)
def test_password_when_weak_is_refused_without_repeating_it(password: str, problem: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_password(SecretText(password), "administrator", "new_password")
    assert problem in caught.value.fields["new_password"]
    assert password not in str(caught.value)


def test_password_when_typed_in_another_unicode_form_is_the_same() -> None:
    composed, decomposed = "p\u00e4ssword-one", "pa\u0308ssword-one"
    assert check_password(SecretText(composed), "ann") == check_password(SecretText(decomposed), "ann")


def test_scope_when_given_is_kept_in_order_without_repeats() -> None:
    assert check_scope(("b", "a", "b"), Role.OPERATOR) == ("b", "a")
    assert check_scope(None, Role.ADMIN) is None


@pytest.mark.parametrize(
    ("pipelines", "role"), [((), Role.VIEWER), (("../x",), Role.VIEWER), (("a\0",), Role.VIEWER), (("a",), Role.ADMIN)]
)
def test_scope_when_unusable_is_refused(pipelines: tuple[str, ...], role: Role) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_scope(pipelines, role)
    assert "pipelines" in caught.value.fields


def test_role_when_unknown_is_refused_naming_the_possible_ones() -> None:
    assert parse_role("operator") is Role.OPERATOR
    with pytest.raises(InvalidInput, match="viewer, operator or admin"):
        parse_role("root")


def test_grant_when_written_in_one_word_then_it_is_read() -> None:
    assert parse_grant("operator:billing-*") == Grant(role=Role.OPERATOR, pipelines="billing-*")


@pytest.mark.parametrize("text", ["billing-*", "boss:billing", "operator:", "none:billing", "operator:a b"])
def test_grant_when_it_is_none_then_refused_at_the_field_it_came_from(text: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        parse_grant(text, "--grant")
    assert list(raised.value.fields) == ["--grant"]
