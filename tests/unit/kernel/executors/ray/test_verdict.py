"""What became of an attempt whose agent is silent."""

import pytest

from fastflow.kernel.executors.ray.cluster import Job, Node, Status
from fastflow.kernel.executors.ray.verdict import GONE_SECONDS, SILENCE_SECONDS, Seen, judge

ALIVE = Node(id="n1", ip="10.0.0.1", is_alive=True, is_head=True, cpus=4, memory_bytes=1)
DEAD = Node(id="n2", ip="10.0.0.2", is_alive=False, is_head=False, cpus=4, memory_bytes=1, why="health check failed")
WISH = {"reason": "cancelled", "reason_text": "by anna"}


def _seen(status: Status | None, *, node_id: str = "n1", silent: float = 3600, **more: object) -> Seen:
    job = None if status is None else Job(id="j", status=status, message="Actor died: gone.\nmore", node_id=node_id)
    given: dict[str, object] = {"job": job, "node": "worker", "silent_seconds": silent, **more}
    return Seen(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize("status", ["PENDING", "RUNNING"])
def test_job_when_it_goes_on_then_so_does_the_run_however_silent_its_agent_is(status: Status) -> None:
    assert judge(_seen(status), [ALIVE, DEAD]) is None


@pytest.mark.parametrize("status", ["FAILED", "STOPPED", "SUCCEEDED"])
def test_job_when_it_ended_a_moment_ago_then_its_agent_may_still_be_sending(status: Status) -> None:
    assert judge(_seen(status, silent=SILENCE_SECONDS - 1), [ALIVE]) is None
    assert judge(_seen(status, silent=SILENCE_SECONDS), [ALIVE]) is not None


def test_node_when_dead_then_the_sentence_names_it_and_the_clusters_reason() -> None:
    assert judge(_seen("FAILED", node_id="n2"), [ALIVE, DEAD]) == (
        "lost",
        "the node worker (10.0.0.2) died while the script was running (health check failed)",
    )


def test_job_when_it_ended_by_itself_then_the_clusters_words_are_passed_on() -> None:
    verdict = judge(_seen("FAILED"), [ALIVE])
    assert verdict == (
        "lost",
        "the run's job ended without telling how the script did; it was on the node worker (10.0.0.1): Actor died: gone",
    )


def test_job_when_stopped_by_somebody_else_then_said() -> None:
    verdict = judge(_seen("STOPPED"), [ALIVE])
    assert verdict is not None and verdict[0] == "lost" and "ray job stop" in verdict[1]


@pytest.mark.parametrize("status", ["STOPPED", "FAILED", None])
def test_run_when_it_was_to_stop_then_it_ended_as_it_was_told(status: Status | None) -> None:
    assert judge(_seen(status, stop=WISH), [ALIVE]) == ("cancelled", "by anna")


def test_job_when_the_cluster_does_not_know_it_then_lost_once_the_agent_was_silent_for_long() -> None:
    assert judge(_seen(None, silent=GONE_SECONDS - 1), [ALIVE]) is None
    verdict = judge(_seen(None, silent=GONE_SECONDS), [ALIVE])
    assert verdict == ("lost", "the cluster does not know the run's job any more; it was on the node worker")
