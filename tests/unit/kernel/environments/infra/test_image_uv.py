from pathlib import Path
from typing import Any

import pytest

from fastflow.kernel.environments.domain.errors import SetupFailed
from fastflow.kernel.environments.infra.image_uv import UV_INSIDE, ImageUv
from fastflow.kernel.environments.infra.uv import UvConfig
from fastflow.kernel.executors.docker.workshop import Order
from fastflow.kernel.executors.errors import LaunchFailed
from fastflow.kernel.executors.port import BaseImage


class FullShop:
    """Notes what it is asked for, and has no place for it."""

    def __init__(self) -> None:
        self.orders: list[Order] = []

    async def start(self, _image: BaseImage, order: Order) -> Any:
        self.orders.append(order)
        raise LaunchFailed("No place.", hint="Come back.")


async def test_files_when_named_to_uv_then_copies_in_the_data_folder_are_seen_and_folders_as_they_are(
    tmp_path: Path,
) -> None:
    certificates, wheels, uv = tmp_path / "ca.crt", tmp_path / "wheels", tmp_path / "uv"
    certificates.write_text("first")
    uv.write_text("#!/bin/sh\n")
    wheels.mkdir()
    environ = {"SSL_CERT_FILE": str(certificates), "UV_FIND_LINKS": str(wheels), "NETRC": str(tmp_path / "gone")}
    data = tmp_path / "data"
    config = UvConfig(binary=uv, cache_dir=data / "cache", python_dir=data / "python", environ=environ)
    image = BaseImage(
        reference="image", id="sha256:" + "0" * 64, python=Path("/usr/bin/python3"), version="cpython-3.11.2",
        platform="linux", env={"PATH": "/bin"},
    )  # fmt: skip
    shop = FullShop()
    outside = ImageUv(config, image, shop)  # type: ignore[arg-type]  # as far as it is used
    for content in ("first", "second, after the old one ran out"):
        certificates.write_text(content)
        with pytest.raises(SetupFailed, match="No place"):
            await outside.execute(["uv", "lock"], cwd=None)
        order = shop.orders[-1]
        assert (order.readable, order.env["SSL_CERT_FILE"]) == ([wheels], str(certificates))
        tools = dict(order.tools or {})
        assert set(tools) == {certificates, UV_INSIDE}
        assert tools[certificates].read_text() == content
        assert all(copy.is_relative_to(data) for copy in tools.values())
        assert (tools[UV_INSIDE].read_text(), tools[UV_INSIDE].stat().st_mode & 0o777) == ("#!/bin/sh\n", 0o755)
