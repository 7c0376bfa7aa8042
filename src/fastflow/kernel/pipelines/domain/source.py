"""The files of one pipeline, as the readers see them."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Literal, Protocol

from fastflow.kernel.pipelines.domain.faults import FaultList
from fastflow.kernel.pipelines.domain.toml_text import TomlText, parse_toml

MAX_TEXT_BYTES = 20_000_000
"""A uv.lock of a thousand packages has 2 MB."""


class UnreadableFile(Exception):
    """A file cannot be read; the message is the system's reason."""


class Files(Protocol):
    """Gives the bytes of the pipeline's files."""

    @property
    def paths(self) -> Collection[str]:
        """Every file that belongs to the pipeline, relative to its folder, with forward slashes."""
        ...

    def read(self, path: str) -> bytes:
        """The content of one of them.

        Raises:
            UnreadableFile: it cannot be read.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Source:
    """A pipeline's files together with the list that its faults go to."""

    name: str
    kind: Literal["folder", "file"]
    script: str
    files: Files
    faults: FaultList
    _toml: dict[str, TomlText | None] = field(default_factory=dict)

    def has(self, path: str) -> bool:
        """Whether the pipeline has this file."""
        return path in self.files.paths

    def read(self, path: str) -> bytes | None:
        """The file's bytes; None when it is not there, or cannot be read, which is noted."""
        if not self.has(path):
            return None
        try:
            return self.files.read(path)
        except UnreadableFile as error:
            self.faults.error(path, f"The file cannot be read: {error}.", "Correct its rights.")
            return None

    def text(self, path: str) -> str | None:
        """The file's text, which must be UTF-8; None when it is not there or no text, which is noted."""
        data = self.read(path)
        if data is None:
            return None
        if len(data) > MAX_TEXT_BYTES:
            self.faults.error(path, f"The file has {len(data):,} bytes.", f"At most {MAX_TEXT_BYTES:,} are read.")
            return None
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            column = error.start - data.rfind(b"\n", 0, error.start)
            message = f"This is not valid UTF-8: byte 0x{data[error.start]:02x}."
            self.faults.error(path, message, "Save the file as UTF-8.", line=line, column=column)
            return None

    def toml(self, path: str) -> TomlText | None:
        """The file as TOML; None when it is not there or broken, which is noted once."""
        if path not in self._toml:
            text = self.text(path)
            self._toml[path] = None if text is None else parse_toml(text, path, self.faults)
        return self._toml[path]
