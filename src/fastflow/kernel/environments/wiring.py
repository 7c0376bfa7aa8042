"""Assembles environments."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from uv import find_uv_bin

from fastflow.kernel.db.engine import Database
from fastflow.kernel.environments.infra.catalogue import SqlCatalogue
from fastflow.kernel.environments.infra.folders import DiskEnvironments
from fastflow.kernel.environments.infra.interpreters import Interpreters
from fastflow.kernel.environments.infra.uv import Uv, UvConfig
from fastflow.kernel.environments.infra.uv_builder import LinkMode, UvBuilder
from fastflow.kernel.environments.service import EnvironmentService
from fastflow.kit.clock import Clock, SystemClock


def build_environments(
    database: Database,
    *,
    data_dir: Path,
    uv_cache_dir: Path | None = None,
    environ: Mapping[str, str] | None = None,
    clock: Clock | None = None,
    link_mode: LinkMode = "hardlink",
    command_prefix: Sequence[str] = (),
    owner_uid: int | None = None,
    timeout_seconds: float = 1800.0,
) -> EnvironmentService:
    """The environment service on `data_dir`, opened.

    Args:
        database: the product's database.
        data_dir: holds `envs`, `build` and `python`.
        uv_cache_dir: uv's cache; None: in `data_dir`.
        clock: None: the machine's own.
        link_mode: how files come out of uv's cache; see `UvBuilder`.
        environ: what uv's own variables (proxies, certificates, indexes) are taken from; None: this process's.
        command_prefix: put before every uv command, such as a sandbox.
        owner_uid: who owns finished environments; None: whoever runs the server.
        timeout_seconds: of one uv command.
    """
    folders = DiskEnvironments(data_dir / "envs", data_dir / "build")
    folders.open()
    config = UvConfig(
        binary=Path(find_uv_bin()),
        cache_dir=uv_cache_dir or data_dir / "uv_cache",
        python_dir=data_dir / "python",
        environ=os.environ if environ is None else environ,  # noqa: TID251 - handed to uv through an allow-list
        command_prefix=command_prefix,
        timeout_seconds=timeout_seconds,
    )
    uv = Uv(config)
    clock = clock or SystemClock()
    builder = UvBuilder(uv, folders, Interpreters(uv), clock, link_mode=link_mode, owner_uid=owner_uid)
    service = EnvironmentService(SqlCatalogue(database), builder, folders, clock)
    service.open()
    return service
