"""Every operation of the OpenAPI document, called with whatever its schema allows and forbids, answers as documented."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import hypothesis
import pytest
import schemathesis
from schemathesis.specs.openapi import checks

from fastflow.bootstrap import build_product
from fastflow.kit.identity import SYSTEM, Role
from fastflow.settings import Settings

EXAMPLES = 8
"""Per operation and phase: some 2,400 requests. They are the same ones each time."""
BEYOND_THE_SCHEMA = [checks.positive_data_acceptance]
"""Rules that a schema cannot tell (a name that is reserved, a cursor of another list) refuse data it allows, with 422."""
ENDLESS = ["/runs/{run_id}/logs/stream", "/logs/stream", "/sync/history/{sync_id}/events"]
"""Streams that end with their run or never; tests/integration/logs reads them."""

UNREADY = "/ready"
"""Answers 503, as it should, for no runner works here; tests/integration/access/test_readiness.py asks it."""


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The web process over a database with a pipeline, a run and a secret in it: its URL and an admin's token."""
    folder = tmp_path_factory.mktemp("api")
    pipelines = folder / "pipelines"
    (pipelines / "hello").mkdir(parents=True)
    (pipelines / "hello" / "main.py").write_text("print('hello')\n")
    settings = Settings(data_dir=folder / "data", logs_dir=folder / "logs", pipelines_dir=pipelines)
    product = build_product(settings)
    token = product.tokens.create("schemathesis", Role.ADMIN, actor=SYSTEM)[1].reveal()
    product.runs.submit("hello", {}, actor=SYSTEM)
    product.close()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ready, write = os.pipe()
        process = subprocess.Popen(
            [sys.executable, "-m", "fastflow.web", "--listen-fd", str(listener.fileno()), "--ready-fd", str(write)],
            env={
                **os.environ,
                "DATA_DIR": str(settings.data_dir),
                "LOGS_DIR": str(settings.logs_dir),
                "PIPELINES_DIR": str(pipelines),
            },
            pass_fds=[listener.fileno(), write],
        )
        os.close(write)
        with os.fdopen(ready) as pipe:
            assert any('"ready"' in line for line in pipe)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", token
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="module")
def api_schema(api: tuple[str, str]) -> Any:
    """The process's own document."""
    url, token = api
    headers = {"Authorization": f"Bearer {token}"}
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json", headers=headers, timeout=300)  # of a busy machine
    schema.hook("map_query")(_without_wait)
    return schema.exclude(path=[*ENDLESS, UNREADY])


def _without_wait(_context: Any, query: Any) -> Any:
    """No runner is here to end a run: waiting for it would only take the test's time."""
    if isinstance(query, dict):
        query.pop("wait", None)
    return query


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_operations_when_called_as_their_schema_says_then_answer_as_documented(
    api_schema: Any, api: tuple[str, str]
) -> None:
    problems = {}
    operations = [result.ok() for result in api_schema.get_all_operations()]
    assert len(operations) > 35
    for operation in operations:
        try:
            _try_out(operation, api[1])
        except (AssertionError, BaseExceptionGroup) as error:
            told = [str(one) for one in error.exceptions] if isinstance(error, BaseExceptionGroup) else [str(error)]
            problems[f"{operation.method.upper()} {operation.path}"] = "\n".join(told)[:1500]
    assert not problems, "\n\n".join(f"{name}\n{problem}" for name, problem in problems.items())


def _try_out(operation: Any, token: str) -> None:
    """Call one operation with generated cases: valid ones and wrong ones."""
    for mode in schemathesis.GenerationMode:

        @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
        @hypothesis.settings(
            max_examples=EXAMPLES,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(hypothesis.HealthCheck),
            database=None,
        )
        def call(case: Any) -> None:
            case.call_and_validate(headers={"Authorization": f"Bearer {token}"}, excluded_checks=BEYOND_THE_SCHEMA)

        with suppress(hypothesis.errors.Unsatisfiable):  # an operation without parameters cannot be called wrongly
            call()
