"""How a run stands in a trace (W3C Trace Context): worked out from its id, so that every process comes to the same.

A run that was submitted with a `traceparent` belongs to its caller's trace; any other begins one. The script is handed the
span of its own execution as `TRACEPARENT`, and what it records hangs below.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_FORM = re.compile(r"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_SAMPLED = 0x01


@dataclass(frozen=True, kw_only=True)
class TraceContext:
    """A span of a trace, as `traceparent` tells it.

    Attributes:
        trace_id: 32 hexadecimal digits.
        span_id: 16 of them.
        is_sampled: whether it is recorded.
    """

    trace_id: str
    span_id: str
    is_sampled: bool

    def __str__(self) -> str:
        """The header's value."""
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.is_sampled else '00'}"


def parse_traceparent(text: str | None) -> TraceContext | None:
    """What a header tells; None when it tells nothing that can be understood, which the standard wants passed over.

    >>> str(parse_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"))
    '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    >>> parse_traceparent("00-00000000000000000000000000000000-b7ad6b7169203331-01") is None
    True
    """
    found = _FORM.fullmatch(text or "")
    if found is None or ((text or "").startswith("00-") and found[4]):
        return None
    trace_id, span_id, flags = found[1], found[2], int(found[3], 16)
    if not int(trace_id, 16) or not int(span_id, 16):
        return None
    return TraceContext(trace_id=trace_id, span_id=span_id, is_sampled=bool(flags & _SAMPLED))


def read_trace(text: str | None) -> str | None:
    """What a capsule keeps of a caller's header; None when that tells nothing."""
    caller = parse_traceparent(text)
    return None if caller is None else str(caller)


@dataclass(frozen=True, kw_only=True)
class RunTrace:
    """A run's place.

    Attributes:
        run_id: the run.
        trace_id: that of its caller, or its own.
        parent: the caller's span.
        is_sampled: as the caller says; where a trace begins here, by share of all.
    """

    run_id: str
    trace_id: str
    parent: TraceContext | None
    is_sampled: bool

    @classmethod
    def of(cls, run_id: str, capsule: Mapping[str, Any], share: float) -> "RunTrace":
        """Its place.

        Args:
            run_id: the run.
            capsule: as the run has it.
            share: of the traces that begin here, how many are recorded: 0 to 1.
        """
        parent = parse_traceparent(capsule.get("trace"))
        if parent is not None:
            return cls(run_id=run_id, trace_id=parent.trace_id, parent=parent, is_sampled=parent.is_sampled)
        trace_id = _digest(run_id)[:32]
        is_sampled = int(trace_id[16:], 16) < round(share * 2**64)
        return cls(run_id=run_id, trace_id=trace_id, parent=None, is_sampled=is_sampled)

    def context(self, span: str) -> TraceContext:
        """One of its spans.

        Args:
            span: run, queued, setup or running.
        """
        span_id = _digest(f"{self.run_id}/{span}")[:16]
        return TraceContext(trace_id=self.trace_id, span_id=span_id, is_sampled=self.is_sampled)


def trace_environment(run_id: str, capsule: Mapping[str, Any], share: float | None) -> dict[str, str]:
    """What the script is told.

    Args:
        run_id: the run.
        capsule: as the run has it.
        share: see `RunTrace.of`; None: nothing is recorded here, and the caller's own words are passed on.
    """
    if share is not None:
        return {"TRACEPARENT": str(RunTrace.of(run_id, capsule, share).context("running"))}
    caller = parse_traceparent(capsule.get("trace"))
    return {} if caller is None else {"TRACEPARENT": str(caller)}


def _digest(text: str) -> str:
    return hashlib.sha256(f"fastflow:{text}".encode()).hexdigest()
