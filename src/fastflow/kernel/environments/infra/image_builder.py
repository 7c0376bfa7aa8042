"""Assembles the builder that works inside one image."""

import os

from fastflow.kernel.environments.infra.folders import DiskEnvironments
from fastflow.kernel.environments.infra.image_uv import ImageInterpreters, ImageUv
from fastflow.kernel.environments.infra.uv import UvConfig
from fastflow.kernel.environments.infra.uv_builder import UvBuilder
from fastflow.kernel.executors.docker.workshop import Workshop
from fastflow.kernel.executors.port import BaseImage
from fastflow.kernel.executors.process.builder import BuildUser, hand_over
from fastflow.kernel.executors.process.zygotes import RunUser
from fastflow.kernel.executors.registry import DockerSettings
from fastflow.kit.clock import Clock


def make_image_builder(
    image: BaseImage,
    config: UvConfig,
    folders: DiskEnvironments,
    clock: Clock,
    *,
    owner_uid: int | None,
    engine: DockerSettings,
) -> UvBuilder:
    """A builder for the image.

    Files are copied out of uv's cache, not linked: two mounts of one file system are two to a container.

    Args:
        image: where uv and Python are.
        config: as on this machine.
        folders: where environments go.
        clock: for the times on their cards.
        owner_uid: who builds; None: whoever runs the server.
        engine: where the containers are made.
    """
    uid, gid = (os.geteuid(), os.getegid()) if owner_uid is None else (owner_uid, owner_uid)
    workshop = Workshop(
        data_dir=config.python_dir.parent,
        engine=engine,
        user=RunUser(uid=uid, gid=gid),
    )
    uv = ImageUv(config, image, workshop)
    for folder in (uv.config.cache_dir.parent, uv.config.cache_dir, uv.config.python_dir):
        hand_over(folder, BuildUser(uid=owner_uid, prefix=()))
    interpreters = ImageInterpreters(uv, image)
    return UvBuilder(uv, folders, interpreters, clock, link_mode="copy", owner_uid=owner_uid, image=image)
