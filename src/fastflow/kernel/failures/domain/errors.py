"""Errors of the failures room."""

from fastflow.kit.errors import Conflict, NotFound


class LetterNotFound(NotFound):
    """The run is no dead letter, or it is outside the asker's scope."""

    default_code = "dead_letter_not_found"
    default_hint = "Take the id from `GET /dead-letters`."

    def __init__(self, run_id: str) -> None:
        super().__init__(f"Run {run_id} is no dead letter.")


class LetterSettled(Conflict):
    """The dead letter was replayed or dismissed before."""

    default_code = "dead_letter_settled"
    default_hint = (
        "A dead letter is settled once; submit its run again with `POST /runs/{id}/rerun` if it is wanted after all."
    )


class GroupNotFound(NotFound):
    """No failure has this fingerprint, or none that the asker may see."""

    default_code = "failure_group_not_found"
    default_hint = "Take the group from `GET /failures`."


class RunDidNotFail(Conflict):
    """Only a failed run has a reason why it failed."""

    default_code = "run_did_not_fail"
    default_hint = "`GET /runs/{id}/explain` says where the run is."
