from fastflow.kernel.flows.domain.after import After
from fastflow.kernel.flows.domain.flow import Step, StepState
from fastflow.kernel.flows.domain.rerunning import steps_again

SUCCESS, FAILED, SKIPPED = StepState.SUCCESS, StepState.FAILED, StepState.SKIPPED


def flow_of(*steps: tuple[str, StepState, tuple[str, ...]], begun: bool = False) -> list[Step]:
    return [
        Step(
            flow_id="f",
            name=name,
            position=place,
            is_root=not ups,
            after=After(pipelines=ups) if ups else None,
            state=state,
            why="",
            total=1 if begun or state is not SKIPPED else None,
        )
        for place, (name, state, ups) in enumerate(steps)
    ]


def again(steps: list[Step], *, was_cancelled: bool = False) -> dict[str, bool]:
    return {each.step.name: each.is_whole for each in steps_again(steps, was_cancelled=was_cancelled)}


def test_steps_when_something_above_runs_again_then_they_do_however_they_ended() -> None:
    steps = flow_of(
        ("extract", SUCCESS, ()),
        ("clean", FAILED, ("extract",)),
        ("beside", SUCCESS, ("extract",)),
        ("load", SKIPPED, ("clean",)),
        ("cleanup", SUCCESS, ("load", "beside")),
    )
    assert again(steps) == {"clean": False, "load": True, "cleanup": True}


def test_steps_when_one_stays_skipped_by_its_condition_then_what_is_below_stays() -> None:
    steps = flow_of(
        ("extract", SUCCESS, ()), ("other", FAILED, ()), ("mail", SKIPPED, ("extract",)), ("end", SUCCESS, ("mail",))
    )
    assert again(steps) == {"other": False, "mail": False}
    assert "end" in again(steps, was_cancelled=True)


def test_steps_when_one_was_skipped_by_the_limits_of_its_pipeline_then_what_is_below_runs_again() -> None:
    steps = flow_of(("extract", SUCCESS, ()), ("load", SKIPPED, ("extract",)), ("end", SUCCESS, ("load",)), begun=True)
    assert again(steps) == {"load": False, "end": True}
