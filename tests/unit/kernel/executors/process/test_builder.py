"""Who builds environments, and whether runs could change what is built."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from fastflow.kernel.executors.process import builder
from fastflow.kernel.executors.process.zygotes import RunUser, ZygoteFactory

NOBODY_ELSE = RunUser(uid=None, gid=None)
OTHER = RunUser(uid=64900, gid=64900)


def as_if(monkeypatch: pytest.MonkeyPatch, user: RunUser, probed: Mapping[str, Any] | None = None) -> None:
    """As if runs acted as `user` and the machine allowed what was `probed`."""

    async def probe(_factory: ZygoteFactory, _tmp: Path) -> Mapping[str, Any]:
        assert probed is not None, "there is nothing to find out"
        return probed

    monkeypatch.setattr(builder, "find_run_user", lambda _name: user)
    monkeypatch.setattr(ZygoteFactory, "probe", probe)


def test_build_user_when_the_server_is_root_then_neither_root_nor_the_user_of_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    as_if(monkeypatch, RunUser(uid=64899, gid=64899))
    found = builder.find_build_user(run_user=None, reach=[Path("/data")])
    order = json.loads(found.prefix[-1])
    assert found.uid not in (None, 0, 64899)
    assert (order["uid"], order["gid"]) == (found.uid, found.uid)
    assert "/data" in order["reach"]


def test_build_user_when_the_server_is_an_ordinary_user_then_nobody_else_but_nothing_outlives_the_build(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    as_if(monkeypatch, NOBODY_ELSE)
    found = builder.find_build_user(run_user=None, reach=[])
    assert found.uid is None
    assert found.prefix[-2] == "build"


@pytest.mark.parametrize(
    ("user", "probed", "guarded"),
    [
        (OTHER, None, True),
        (NOBODY_ELSE, {"mount": True, "landlock": False}, True),
        (NOBODY_ELSE, {"mount": False, "landlock": True}, True),
        (NOBODY_ELSE, {"mount": False, "landlock": False}, False),
    ],
)
async def test_files_when_runs_act_as_their_owner_then_only_a_view_or_landlock_guards_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, user: RunUser, probed: Mapping[str, Any] | None, guarded: bool
) -> None:
    as_if(monkeypatch, user, probed)
    assert await builder.are_files_guarded(run_user=None, tmp=tmp_path) is guarded


def test_installations_when_path_is_searched_then_whole_ones_alone_and_each_once(tmp_path: Path) -> None:
    whole, half, tools = (tmp_path / name for name in ("python-3.12", "half", "tools"))
    for folder in (whole / "lib" / "python3.12", whole / "bin", half / "bin", tools):
        folder.mkdir(parents=True)
    (whole / "lib" / "python3.12" / "os.py").touch()
    for name in ("python3.12", "python3.12-config"):
        (whole / "bin" / name).touch()
    (whole / "bin" / "python3").symlink_to("python3.12")
    (half / "bin" / "python3").touch()  # a program alone: its folder may be somebody's home
    (tools / "python3.12").symlink_to(whole / "bin" / "python3.12")
    path = f"{tmp_path / 'nowhere'}::{half / 'bin'}:{tools}:{whole / 'bin'}"
    assert builder.installations_on(path) == [whole]
