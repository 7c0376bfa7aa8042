"""What the cluster's dashboard answers, and what it means: as answers recorded from one, and from what is none."""

import io
from collections.abc import Awaitable, Callable

import httpx
import pytest

from fastflow.kernel.executors.ray.cluster import (
    Cluster,
    ClusterAway,
    ClusterError,
    NewJob,
    NoSuchJob,
    as_launch_failed,
)

JOB = NewJob(id="j", entrypoint="x", package="_ray_pkg_1.zip", cpus=0.5, memory_bytes=100, metadata={"a": "b"})
Call = Callable[[Cluster], Awaitable[object]]
ASKS: list[Call] = [lambda cluster: cluster.version(), lambda cluster: cluster.nodes(), lambda cluster: cluster.jobs()]
GIVES: list[Call] = [
    lambda cluster: cluster.upload("_ray_pkg_1.zip", io.BytesIO(b"zip")),
    lambda cluster: cluster.submit(JOB),
]
NOT_FOUND = (404, '{"detail": "nothing here"}')
NOT_RAY = [(200, "<html>hello</html>"), (200, "[1]")]


def _cluster(answer: Callable[[httpx.Request], httpx.Response]) -> Cluster:
    cluster = Cluster("http://head:8265/", "secret-token")
    headers = cluster._client.headers
    cluster._client = httpx.AsyncClient(
        base_url="http://head:8265", transport=httpx.MockTransport(answer), headers=headers
    )
    return cluster


async def test_job_when_submitted_then_its_resources_and_its_package_are_asked_for() -> None:
    seen: list[httpx.Request] = []

    def take(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={})

    await _cluster(take).submit(JOB)
    assert seen[0].headers["authorization"] == "Bearer secret-token"
    body = seen[0].read().decode()
    assert '"entrypoint_num_cpus":0.5' in body and '"entrypoint_memory":100' in body
    assert '"runtime_env":{"working_dir":"gcs://_ray_pkg_1.zip"}' in body


@pytest.mark.parametrize(
    ("call", "answer"),
    [*((call, NOT_FOUND) for call in (*ASKS, *GIVES)), *((call, answer) for call in ASKS for answer in NOT_RAY)],
)
async def test_address_when_it_is_no_dashboard_then_it_is_said_and_the_setting_named(
    call: Call, answer: tuple[int, str]
) -> None:
    with pytest.raises(ClusterError, match=r"http://head:8265 is no dashboard of Ray: .*RAY_ADDRESS") as caught:
        await call(_cluster(lambda _request: httpx.Response(answer[0], text=answer[1])))
    assert not isinstance(caught.value, NoSuchJob)
    assert "RAY_ADDRESS" in as_launch_failed(caught.value).message


@pytest.mark.parametrize("status", [401, 403])
async def test_token_when_refused_then_the_setting_is_named(status: int) -> None:
    cluster = _cluster(lambda _request: httpx.Response(status, text="Forbidden: Invalid authentication token"))
    with pytest.raises(ClusterError, match=r"Invalid authentication token.*RAY_AUTH_TOKEN"):
        await cluster.version()


async def test_job_when_unknown_then_told_apart_from_a_wrong_address() -> None:
    cluster = _cluster(lambda _request: httpx.Response(404, text="Job x does not exist"))
    for call in (cluster.job, cluster.stop, cluster.delete):
        with pytest.raises(NoSuchJob, match="does not exist"):
            await call("x")
    assert await cluster.has_package("_ray_pkg_1.zip") is False


@pytest.mark.parametrize("end", [".", ".\n.", "\n.\n\n"])
async def test_traceback_when_answered_then_its_last_line_with_words_counts(end: str) -> None:
    text = f"Traceback (most recent call last):\n  File ...\nValueError: submission_id j exists{end}"
    cluster = _cluster(lambda _request: httpx.Response(500, text=text))
    with pytest.raises(ClusterError, match=r"^ValueError: submission_id j exists$"):
        await cluster.submit(JOB)


async def test_cluster_when_nobody_answers_then_away_and_the_run_says_where() -> None:
    def refuse(_request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with pytest.raises(ClusterAway) as caught:
        await _cluster(refuse).jobs()
    failed = as_launch_failed(caught.value)
    assert failed.code == "cluster_away" and "http://head:8265" in failed.message and "refused" in failed.message
