"""Builds each environment where it belongs: on this machine, or inside the image its runs start from."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from fastflow.kernel.environments.domain.environment import EnvironmentCard, EnvironmentRequest, Lock
from fastflow.kernel.environments.ports import Builder, OnLine
from fastflow.kernel.executors.port import BaseImage


class PlacedBuilder:
    """See `ports.Builder`.

    Args:
        local: builds for this machine.
        make_for_image: a builder that works inside an image.
    """

    def __init__(self, local: Builder, make_for_image: Callable[[BaseImage], Builder]) -> None:
        self.platform = local.platform
        self.default_interpreter = local.default_interpreter
        self._local = local
        self._make_for_image = make_for_image
        self._for_images: dict[str, Builder] = {}

    async def resolve(self, request: EnvironmentRequest, on_line: OnLine | None) -> Lock:
        """See the port."""
        return await self._at(request).resolve(request, on_line)

    async def relock(self, card: EnvironmentCard, request: EnvironmentRequest, on_line: OnLine | None) -> Lock | None:
        """See the port."""
        return await self._at(request).relock(card, request, on_line)

    async def build(
        self, lock: Lock, request: EnvironmentRequest, on_line: OnLine | None
    ) -> tuple[EnvironmentCard, bool]:
        """See the port."""
        return await self._at(request).build(lock, request, on_line)

    def exclusive(self, name: str) -> AbstractAsyncContextManager[None]:
        """See the port."""
        return self._local.exclusive(name)

    def is_held(self, name: str) -> bool:
        """See the port."""
        return self._local.is_held(name)

    def _at(self, request: EnvironmentRequest) -> Builder:
        image = request.image
        if image is None:
            return self._local
        builder = self._for_images.get(image.id)
        if builder is None:
            builder = self._for_images[image.id] = self._make_for_image(image)
        return builder
