from types import SimpleNamespace
from typing import Any, cast

from fastflow.kernel.pipelines.service import PipelineCatalog
from fastflow.kit.identity import Actor, Role
from fastflow.ui.rooms.pipelines.finding import find_pipelines
from fastflow.ui.texts import Texts

ANNA = Actor(name="user:anna", role=Role.OPERATOR)


class _Catalog:
    def __init__(self) -> None:
        self.looks = 0

    def list_all(self) -> list[Any]:
        self.looks += 1
        one = SimpleNamespace(name="export", description="Nightly", workbench=None, is_healthy=True, params_schema=None)
        return [one]


def words(key: str, **values: Any) -> str:
    return f"{key} {' '.join(values.values())}"


def test_pipelines_when_asked_for_a_few_letters_then_the_catalogue_is_looked_at_once() -> None:
    catalog = _Catalog()
    finders = find_pipelines(cast("PipelineCatalog", catalog))
    found = [finder.find(cast("Texts", words), ANNA, "exp") for finder in finders]
    assert [len(each) for each in found] == [1, 1]
    assert catalog.looks == 1
