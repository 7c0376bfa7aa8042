"""What is wrong with a pipeline, and where."""

from dataclasses import dataclass, field
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One thing that is wrong.

    Attributes:
        pipeline: the pipeline's name.
        file: relative to PIPELINES_DIR.
        line: first line is 1; None when it concerns the file as a whole.
        column: first column is 1.
        severity: an error keeps the pipeline from running.
    """

    pipeline: str
    file: str
    line: int | None = None
    column: int | None = None
    message: str
    hint: str
    severity: Severity = "error"

    @property
    def place(self) -> str:
        """`file`, `file:line` or `file:line:column`."""
        return ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


@dataclass
class FaultList:
    """Collects the faults of one pipeline while its files are read.

    Attributes:
        pipeline: its name.
        prefix: put before each file: `name/` for a folder, nothing for a single file.
    """

    pipeline: str
    prefix: str = ""
    found: list[Fault] = field(default_factory=list)

    @property
    def has_errors(self) -> bool:
        """Whether anything found keeps the pipeline from running."""
        return any(fault.severity == "error" for fault in self.found)

    def error(self, file: str, message: str, hint: str, *, line: int | None = None, column: int | None = None) -> None:
        """Note what keeps the pipeline from running."""
        self._add(file, message, hint, line, column, "error")

    def warning(
        self, file: str, message: str, hint: str, *, line: int | None = None, column: int | None = None
    ) -> None:
        """Note what is doubtful but does not keep it from running."""
        self._add(file, message, hint, line, column, "warning")

    def _add(
        self, file: str, message: str, hint: str, line: int | None, column: int | None, severity: Severity
    ) -> None:
        self.found.append(
            Fault(
                pipeline=self.pipeline,
                file=_as_text((self.prefix + file).rstrip("/")),
                line=line,
                column=column,
                message=message,
                hint=hint,
                severity=severity,
            )
        )


def _as_text(path: str) -> str:
    """A path whose bytes are no text, with `?` in their place: it goes into JSON."""
    return path.encode(errors="replace").decode()
