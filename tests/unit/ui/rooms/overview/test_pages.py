from pathlib import Path
from types import SimpleNamespace
from typing import Any

from fastflow.testing.clock import START
from fastflow.ui.rooms.overview import pages
from fastflow.ui.texts import Catalogue

TEXTS = Catalogue([Path(pages.__file__).with_name("texts.toml")]).texts("en")


def test_due_when_the_pipeline_of_a_schedule_is_gone_then_it_is_said_which_starts_nothing() -> None:
    schedule = SimpleNamespace(label="gone/<nightly>", pipeline_name="gone", name="<nightly>", next_due_at=START)
    idle: Any = SimpleNamespace(due=[schedule], idle=[schedule] * 4)
    shown = str(pages._due(TEXTS, idle))
    assert 'data-idle="4"' in shown and "gone/&lt;nightly&gt; …" in shown and "/ui/schedules" in shown
    well: Any = SimpleNamespace(due=[schedule], idle=[])
    assert "data-idle" not in str(pages._due(TEXTS, well))
