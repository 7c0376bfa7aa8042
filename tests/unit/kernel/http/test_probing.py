"""A part that hangs is told as one that fails, holds one thread, and does not hold up the others."""

import asyncio
import threading
from collections.abc import Mapping
from typing import Any

from fastflow.kernel.http.probing import Looks
from fastflow.kit.errors import Unavailable


def _broken() -> Mapping[str, Any]:
    raise ValueError("a defect")


def _away() -> Mapping[str, Any]:
    raise Unavailable("It is away.", hint="Start it.")


async def test_looks_when_parts_work_fail_or_break_then_each_is_told() -> None:
    looks = Looks({"good": lambda: {"ok": True, "size": 1}, "away": _away, "broken": _broken})
    found = await looks.look()
    assert found["good"] == {"ok": True, "size": 1}
    assert found["away"] == {"ok": False, "problem": "It is away.", "hint": "Start it."}
    assert found["broken"]["ok"] is False and "defect" not in str(found["broken"])
    assert list(await looks.look(["good"])) == ["good"]


async def test_looks_when_one_hangs_then_it_fails_in_time_and_is_not_begun_again() -> None:
    release, begun = threading.Event(), []

    def hangs() -> Mapping[str, Any]:
        begun.append(1)
        release.wait(60)
        return {"ok": True}

    looks = Looks({"slow": hangs, "good": lambda: {"ok": True}}, seconds=0.05)
    first, second = await asyncio.gather(looks.look(), looks.look())
    assert first == second and first["good"] == {"ok": True}
    assert first["slow"]["ok"] is False and "No answer within 0.05 s" in first["slow"]["problem"]
    assert len(begun) == 1
    patient = Looks({"slow": hangs})
    asked = asyncio.gather(patient.look())
    release.set()
    assert (await asked)[0] == {"slow": {"ok": True}}
