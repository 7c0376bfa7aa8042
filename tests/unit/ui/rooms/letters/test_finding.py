"""What rooms bring to the palette: by a part of the name, as the reader, and nothing before a letter was typed."""

from types import SimpleNamespace
from typing import Any

import pytest

from fastflow.kit.identity import Actor, Role
from fastflow.ui.manifest import Finder
from fastflow.ui.rooms.alerts.finding import find_channels, find_rules
from fastflow.ui.rooms.daemons.finding import find_daemons
from fastflow.ui.rooms.letters.finding import find_letters
from fastflow.ui.rooms.schedules.finding import find_schedules
from fastflow.ui.rooms.secrets.finding import find_secrets
from fastflow.ui.rooms.sync.finding import find_repositories

ANNA = Actor(name="user:anna", role=Role.VIEWER)
STRANGER = Actor(name="user:nobody", role=Role.NONE)
T: Any = str


class _Service:
    """Gives the same to every question, and keeps who asked."""

    def __init__(self, *items: Any) -> None:
        self.items = items
        self.asked: list[Actor] = []

    def list(self, *_: Any, actor: Actor, **__: Any) -> Any:
        self.asked.append(actor)
        return SimpleNamespace(items=self.items)

    def all(self, *_: Any, actor: Actor, **__: Any) -> Any:
        self.asked.append(actor)
        return iter(self.items)


SCHEDULE = SimpleNamespace(id="s1", pipeline_name="export", name="nightly", expression="0 2 * * *")
SECRET = SimpleNamespace(key="EXPORT_KEY", value="hunter2-hunter2", is_parameter=True)
LETTER = SimpleNamespace(run=SimpleNamespace(id="r" * 36, pipeline_name="export", reason_text="no such city"))
REPOSITORY = SimpleNamespace(name="exports", url="https://example.org/exports.git")
DAEMON = SimpleNamespace(daemon=SimpleNamespace(pipeline_name="export-feed"), state="backing-off")
RULE = SimpleNamespace(
    rule=SimpleNamespace(id="u1", name="", pipeline_name=None, events=["failed"], channels=["export-team"])
)
CHANNEL = SimpleNamespace(name="ops", kinds=["slack"], description="Exports at night")
CASES: list[tuple[Any, Any, str]] = [
    (find_schedules, SCHEDULE, "/schedules/s1"),
    (find_secrets, SECRET, "/secrets/EXPORT_KEY"),
    (find_letters, LETTER, f"/dead-letters/{'r' * 36}"),
    (find_daemons, DAEMON, "/daemons/export-feed"),
    (find_rules, RULE, "/alerts/rules/u1"),
    (find_channels, CHANNEL, "/alerts/channels/ops"),
    (find_repositories, REPOSITORY, "/sync"),
]


@pytest.mark.parametrize(("bring", "item", "path"), CASES)
def test_room_when_asked_then_it_offers_what_fits_to_those_who_may_look(bring: Any, item: Any, path: str) -> None:
    service = _Service(item)
    finder: Finder = bring(service)
    assert [list(finder.find(T, ANNA, " ")), list(finder.find(T, STRANGER, "export"))] == [[], []]
    assert not service.asked
    (found,) = finder.find(T, ANNA, "Export")
    assert (found.path, found.call) == (path, None)
    assert "hunter2" not in f"{found.label}{found.note}"
    assert not finder.find(T, ANNA, "import")
    assert set(service.asked) == {ANNA}
