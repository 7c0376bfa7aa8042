"""What parameters take, beyond their plain types."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from fastflow.kernel.http.params import Instant
from fastflow.kit.value_problems import describe

INSTANT: TypeAdapter[datetime] = TypeAdapter(Instant)


@pytest.mark.parametrize(
    "given", ["2026-11-21T04:35:18Z", "2026-11-21t04:35:18.000+00:00", "2026-11-21 05:35+01:00", "2026-11-21T04:35Z"]
)
def test_instant_when_written_out_then_taken(given: str) -> None:
    taken = INSTANT.validate_python(given)
    assert abs(taken - datetime(2026, 11, 21, 4, 35, tzinfo=UTC)) < timedelta(minutes=1)


@pytest.mark.parametrize("given", ["0", "1700000000", "1e9", 1700000000, 0.5, "", "2026-11-21", "yesterday", True, []])
def test_instant_when_a_number_or_no_instant_then_refused_in_words(given: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        INSTANT.validate_python(given)
    (problem,) = caught.value.errors()
    assert describe(problem).endswith("not an instant such as 2026-11-21T04:35:18Z")


def test_instant_when_without_offset_or_out_of_range_then_refused() -> None:
    for given in ("2026-11-21T04:35:18", "1969-12-31T23:59:59Z", "9999-12-31T00:00:00Z", "2026-13-01T00:00:00Z"):
        with pytest.raises(ValidationError):
            INSTANT.validate_python(given)
