"""Assembles environments."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from uv import find_uv_bin

from fastflow.kernel.db.engine import Database
from fastflow.kernel.environments.infra.catalogue import SqlCatalogue
from fastflow.kernel.environments.infra.folders import DiskEnvironments
from fastflow.kernel.environments.infra.interpreters import Interpreters
from fastflow.kernel.environments.infra.placed_builder import PlacedBuilder
from fastflow.kernel.environments.infra.uv import Uv, UvConfig
from fastflow.kernel.environments.infra.uv_builder import FindLinkMode, LinkMode, UvBuilder
from fastflow.kernel.environments.ports import Builder
from fastflow.kernel.environments.service import EnvironmentService
from fastflow.kernel.executors.port import BaseImage
from fastflow.kernel.executors.registry import DockerSettings
from fastflow.kit.clock import Clock, SystemClock


def build_environments(
    database: Database,
    *,
    data_dir: Path,
    uv_cache_dir: Path | None = None,
    environ: Mapping[str, str] | None = None,
    clock: Clock | None = None,
    link_mode: LinkMode | FindLinkMode = "hardlink",
    command_prefix: Sequence[str] = (),
    owner_uid: int | None = None,
    timeout_seconds: float = 1800.0,
    engine: DockerSettings | None = None,
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
        engine: the container engine in which environments for images are built, asked only then; None: there is none.
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
    local = UvBuilder(uv, folders, Interpreters(uv), clock, link_mode=link_mode, owner_uid=owner_uid)

    def for_image(image: BaseImage) -> Builder:
        from fastflow.kernel.environments.infra.image_builder import make_image_builder  # loads the engine's part

        assert engine is not None, "an executor brought an image, but no engine is configured"
        return make_image_builder(image, config, folders, clock, owner_uid=owner_uid, engine=engine)

    builder = PlacedBuilder(local, for_image)
    service = EnvironmentService(SqlCatalogue(database), builder, folders, clock, config.environ)
    service.open()
    return service
