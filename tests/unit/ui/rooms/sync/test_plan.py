from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fastflow.kernel.sync.domain.sync import Sync
from fastflow.ui import rooms
from fastflow.ui.rooms.sync.plan import plan_cards
from fastflow.ui.texts import Catalogue

T = Catalogue([Path(rooms.__file__).parent / "sync" / "texts.toml"]).texts("en")


def sync(plan: dict[str, Any] | None) -> Sync:
    return Sync(
        id="1", repository="flows", action="plan", trigger="api", requested_by="user:ada",
        requested_at=datetime(2026, 1, 1, tzinfo=UTC), plan=plan,
    )  # fmt: skip


def test_plan_when_shown_then_it_says_what_differs_and_what_speaks_against_it() -> None:
    shown = plan_cards(
        T,
        sync(
            {
                "pipelines": [
                    {
                        "name": "totals",
                        "change": "changed",
                        "files": {"main.py": "changed", "old.py": "removed"},
                        "more_files": 2,
                        "requirements_added": ["six==1.17"],
                        "environment": {
                            "state": "locked",
                            "packages": [
                                {"package": "six", "before": "1.16", "after": "1.17"},
                                {"package": "attrs", "before": None, "after": "25.1"},
                            ],
                        },
                        "settings": [{"setting": "timeout", "before": None, "after": 600}],
                    }
                ],
                "schedules": [
                    {"change": "changed", "pipeline": "totals", "name": "nightly", "before": "0 2 * * *", "after": "0 3 * * *"}
                ],
                "blockers": [
                    {"kind": "lock", "pipeline": "totals", "message": "The lock is old.", "hint": "Lock it.", "file": "uv.lock", "line": None}
                ],
                "warnings": ["<b>look</b>"],
                "unchanged": 3,
            }
        ),
    )  # fmt: skip
    for part in (
        "six 1.16 → 1.17", "attrs 25.1", "timeout: – → 600", "old.py", "and 2 more", "0 2 * * * → 0 3 * * *", "The lock is old.",
        "uv.lock", "3 stay as they are", "dependencies resolved", "&lt;b&gt;look",
    ):  # fmt: skip
        assert part in shown, part


def test_plan_when_there_is_none_or_nothing_differs_then_it_says_so() -> None:
    assert plan_cards(T, sync(None)) == ""
    assert "No pipeline differs." in plan_cards(T, sync({}))
