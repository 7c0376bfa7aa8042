"""What doctor makes of the engine's answers."""

import pytest

from fastflow.cli.engine_check import check_engine
from fastflow.kernel.executors.docker.examining import EngineReport
from fastflow.settings import Settings


@pytest.mark.parametrize(("executor", "level"), [("docker", "fault"), ("process", "note")])
def test_engine_when_it_would_make_no_container_then_said_with_the_words_and_a_fault_only_where_it_is_needed(
    executor: str, level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = EngineReport(version="28.2", why=None, has_image=True, refusal="the gate refused this: the network 'host'")
    monkeypatch.setattr("fastflow.kernel.executors.docker.examining.examine", lambda _settings: report)
    found = check_engine(Settings(_env_file=None, executor=executor))
    assert found.level == level
    assert found.text.endswith("no run could start: the gate refused this: the network 'host'")
    assert ("fastflow engine-gate" in found.remedy) is (level == "fault")
