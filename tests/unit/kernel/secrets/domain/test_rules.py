"""Keys become environment variables and values are masked: both must be possible."""

import pytest

from fastflow.kernel.secrets.domain.rules import MAX_VALUE_BYTES, check_key, check_pipelines, check_value
from fastflow.kit.errors import InvalidInput
from fastflow.kit.secret_text import SecretText


@pytest.mark.parametrize("key", ["DB_PASSWORD", "_x", "a1", "PARAMETER", "HOMEPAGE", "X" * 128])
def test_key_when_it_can_be_a_variable_is_taken(key: str) -> None:
    assert check_key(key) == key


@pytest.mark.parametrize("key", ["", "1A", "A-B", "A B", "A=B", "Ä", "A\0", "A\n", "X" * 129, "../x"])
def test_key_when_it_cannot_be_a_variable_is_refused(key: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_key(key)
    assert (caught.value.code, "key" in caught.value.fields) == ("invalid_key", True)


@pytest.mark.parametrize(
    "key", ["PARAM_CITY", "FASTFLOW_PARAMS", "PATH", "HOME", "LD_PRELOAD", "PYTHONPATH", "ld_preload", "Path"]
)
def test_key_when_it_would_change_how_the_run_works_is_refused(key: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_key(key)
    assert caught.value.code == "reserved_key"


@pytest.mark.parametrize("value", ["abcd", "ä" * 4, "x" * MAX_VALUE_BYTES, "line\nline"])
def test_value_when_it_can_be_kept_and_masked_is_taken(value: str) -> None:
    assert check_value(SecretText(value), is_parameter=False) == SecretText(value)


@pytest.mark.parametrize(
    "value", ["abc", "", "  a  ", "abcd\0", "x" * (MAX_VALUE_BYTES + 1), "ä" * (MAX_VALUE_BYTES // 2 + 1), "abc\ud800"]
)
def test_secret_when_it_cannot_be_kept_or_masked_is_refused_without_repeating_it(value: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_value(SecretText(value), is_parameter=False)
    assert "value" in caught.value.fields
    assert not value.strip() or value not in str(caught.value)


def test_short_secret_when_refused_is_told_of_parameters() -> None:
    with pytest.raises(InvalidInput, match="is_parameter"):
        check_value(SecretText("42"), is_parameter=False)


@pytest.mark.parametrize("value", ["", "4", "de"])
def test_parameter_when_short_is_taken(value: str) -> None:
    assert check_value(SecretText(value), is_parameter=True) == SecretText(value)


def test_allow_list_when_checked_loses_repeats_and_refuses_path_tricks() -> None:
    assert check_pipelines(("b", "a", "b")) == ("b", "a")
    assert check_pipelines(()) == ()
    for wrong in (("../x",), ("",), ("a\n",), tuple(f"p{n}" for n in range(1001))):
        with pytest.raises(InvalidInput):
            check_pipelines(wrong)
