"""How parameters of many dead letters are read."""

import pytest

from fastflow.cli.errors import WrongUsage
from fastflow.cli.failures import read_changes


class FakeApi:
    """Answers with dead letters of these pipelines, whose CODE is a whole number."""

    def __init__(self, *pipelines: str) -> None:
        self.letters = [{"run": {"pipeline_name": name}} for name in pipelines]

    def get(self, path: str, **query: object) -> dict[str, object]:
        """See `Api.get`."""
        if path == "/dead-letters":
            return {"items": self.letters}
        return {"params_schema": {"properties": {"CODE": {"type": "integer"}}}}


def test_parameters_when_all_dead_letters_are_of_one_pipeline_then_it_says_how_they_are_read() -> None:
    assert read_changes(FakeApi("load", "load"), ["CODE=3"], None) == {"CODE": 3}
    assert read_changes(FakeApi(), ["CODE=3"], "load") == {"CODE": 3}
    assert read_changes(FakeApi("load", "other"), None, None) is None


def test_parameters_when_dead_letters_are_of_several_pipelines_then_one_has_to_be_named() -> None:
    with pytest.raises(WrongUsage, match="these dead letters are of load, other") as caught:
        read_changes(FakeApi("other", "load"), ["CODE=3"], None)
    assert "--pipeline load" in caught.value.hint
