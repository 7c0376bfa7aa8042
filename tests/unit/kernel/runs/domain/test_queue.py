"""Who may start: limits are never exceeded, the order is kept, nobody is passed over without a reason."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastflow.kernel.runs.domain.queue import (
    Candidate,
    Load,
    blocked_by,
    choose,
    crowds,
    describe_crowd,
    fill_key,
)
from fastflow.kit.errors import InvalidInput

_candidates = st.lists(
    st.builds(
        lambda name, key, limit, per_key: (name, key, limit, per_key),
        st.sampled_from("pq"),
        st.sampled_from([None, "a", "b"]),
        st.sampled_from([None, 1, 2]),
        st.sampled_from([None, 1, 2]),
    ),
    max_size=12,
).map(
    lambda rows: [
        Candidate(id=str(place), pipeline_name=name, concurrency_key=key, pipeline_limit=limit, key_limit=per_key)
        for place, (name, key, limit, per_key) in enumerate(rows)
    ]
)


def _load_of(runs: list[Candidate]) -> Load:
    load = Load()
    for run in runs:
        load.add(run.pipeline_name, run.concurrency_key)
    return load


@given(queue=_candidates, running=_candidates, slots=st.integers(0, 6))
def test_choose_when_given_any_queue_exceeds_no_limit_and_passes_nobody_over(
    queue: list[Candidate], running: list[Candidate], slots: int
) -> None:
    load = _load_of(running)
    chosen = choose(queue, load, slots)
    assert chosen == [one for one in queue if one in chosen]
    assert len(chosen) <= max(0, slots - len(running))
    assert load == _load_of(running + chosen)
    for place, one in enumerate(chosen):
        assert blocked_by(one, _load_of(running + chosen[:place]), slots) is None
    for one in queue:
        if one not in chosen:
            assert blocked_by(one, load, slots) is not None


def test_blocker_when_several_limits_hold_is_the_narrowest() -> None:
    one = Candidate(id="1", pipeline_name="p", concurrency_key="a", pipeline_limit=1, key_limit=1)
    load = Load()
    load.add("p", "a")
    assert blocked_by(one, load, 1) == "key"
    assert blocked_by(Candidate(id="2", pipeline_name="p", pipeline_limit=1), load, 1) == "pipeline"
    assert blocked_by(Candidate(id="3", pipeline_name="q"), load, 1) == "global"
    assert blocked_by(Candidate(id="3", pipeline_name="q"), load, 2) is None


def test_crowds_when_limits_are_held_name_the_oldest_that_would_have_to_go() -> None:
    newcomer = Candidate(id="9", pipeline_name="p", concurrency_key="a", pipeline_limit=3, key_limit=1)
    active = [
        Candidate(id="1", pipeline_name="p", concurrency_key="b"),
        Candidate(id="2", pipeline_name="p", concurrency_key="a"),
        Candidate(id="3", pipeline_name="p", concurrency_key="b"),
    ]
    of_key, of_pipeline = crowds(newcomer, active)
    assert [run.id for run in of_key.surplus] == ["2"]
    assert [run.id for run in of_pipeline.surplus] == ["1"]
    assert describe_crowd(newcomer, of_key) == "key=a 1/1 held by run 2"
    assert describe_crowd(newcomer, of_pipeline) == "pipeline p 3/3 held by run 1 and 2 more"
    assert crowds(newcomer, active[:1]) == []


@pytest.mark.parametrize(
    ("template", "params", "key"),
    [
        (None, {}, None),
        ("fixed", {}, "fixed"),
        ("{CITY}-{YEAR}", {"CITY": "Ulm", "YEAR": 2024}, "Ulm-2024"),
        ("{A}", {"A": {"b": 1}}, '{"b":1}'),
    ],
)
def test_key_when_filled_holds_the_parameters(template: str | None, params: dict[str, Any], key: str | None) -> None:
    assert fill_key(template, params) == key


def test_key_when_very_long_is_shortened_and_stays_distinct() -> None:
    one, other = (fill_key("{A}", {"A": "x" * 400 + end}) for end in "12")
    assert one and other and one != other and len(one) <= 300


def test_key_when_a_parameter_is_missing_names_it() -> None:
    with pytest.raises(InvalidInput) as caught:
        fill_key("{CITY}", {})
    assert set(caught.value.fields) == {"params.CITY"}
