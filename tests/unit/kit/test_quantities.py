import pytest

from fastflow.kit.quantities import seconds, size


@pytest.mark.parametrize(
    ("value", "words"),
    [(None, "-"), (0.0004, "0 ms"), (0.25, "250 ms"), (59.94, "59.9 s"), (61, "1 min 1 s"), (7260, "2 h 1 min")],
)
def test_seconds_when_given_a_duration_then_two_units_at_most(value: float | None, words: str) -> None:
    assert seconds(value) == words


@pytest.mark.parametrize(
    ("value", "words"), [(None, "-"), (0, "0 B"), (1023, "1023 B"), (1024, "1.0 KB"), (3 * 2**40, "3.0 TB")]
)
def test_size_when_given_bytes_then_the_largest_unit_that_fits(value: int | None, words: str) -> None:
    assert size(value) == words
