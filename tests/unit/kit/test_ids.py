import pytest

from fastflow.kit.errors import InvalidInput
from fastflow.kit.ids import new_id, parse_tail, short_id


@pytest.mark.parametrize("digits", range(6, 33))
def test_parse_tail_when_given_the_last_digits_then_the_id_ends_with_them(digits: int) -> None:
    run_id = new_id()
    given = run_id.replace("-", "")[-digits:]
    assert run_id.endswith(parse_tail(given.upper()))
    assert run_id.endswith(parse_tail(run_id[-digits:])) or len(run_id[-digits:].replace("-", "")) < 6


@pytest.mark.parametrize("text", ["abcde", "zzzzzz", "------", "0" * 33, "abc def", "%%%%%%", ""])
def test_parse_tail_when_it_is_no_end_of_an_id_then_the_field_is_named(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_tail(text, "id_tail")
    assert list(caught.value.fields) == ["id_tail"]


def test_short_id_when_made_then_commands_take_it_back() -> None:
    run_id = new_id()
    assert run_id.endswith(parse_tail(short_id(run_id)))
