"""The kernel's front door: everything of it that a workbench may import, beside `kernel.http` and `kernel.db`.

A workbench describes itself by a `Workbench`; the kernel never names one.
"""

from dataclasses import dataclass
from pathlib import Path

from fastflow.kernel.audit import record
from fastflow.kernel.locks import hold_new_folder, try_hold_folder

__all__ = ["Workbench", "hold_new_folder", "record", "try_hold_folder"]


@dataclass(frozen=True, kw_only=True)
class Workbench:
    """What a workbench contributes that others work with.

    Attributes:
        name: one word; the package of its method has this name beside its pipelines, and its commands begin with it.
        title: what people call it.
        folder: its package; `pipelines/<name>/` holds the pipelines it ships.
        packages: folders of `folder` that go along with each of its pipelines, inside the package `name`.
    """

    name: str
    title: str
    folder: Path
    packages: tuple[str, ...] = ("domain", "method")
