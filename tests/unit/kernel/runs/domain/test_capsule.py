"""The capsule survives the database, also when an older or newer release wrote it."""

import json

from fastflow.kernel.executors.port import Limits
from fastflow.kernel.runs.domain.capsule import Capsule, FrozenRequest, Timeouts

CAPSULE = Capsule(
    tree_hash="t",
    script="main.py",
    commit="c",
    dirty=True,
    environment=FrozenRequest(input_hash="i", kind="project", python="3.12", files=("pyproject.toml",), hash="e"),
    exact=True,
    secrets={"TOKEN": 2},
    limits=Limits(cpus=0.5, memory_bytes=1024),
    timeouts=Timeouts(run=1.5),
    modules=("json", "csv"),
)


def test_capsule_when_written_and_read_is_the_same() -> None:
    assert Capsule.from_json(json.loads(json.dumps(CAPSULE.to_json()))) == CAPSULE


def test_capsule_when_fields_are_missing_or_unknown_is_read_all_the_same() -> None:
    data = {"tree_hash": "t", "script": "s", "environment": {"input_hash": "i", "kind": "none"}, "later": 1}
    read = Capsule.from_json(data)
    assert (read.secrets, read.limits, read.network, read.environment.files) == ({}, Limits(), True, ())
