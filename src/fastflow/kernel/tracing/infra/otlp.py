"""Sends spans by OTLP over HTTP, with OpenTelemetry's own exporter."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from fastflow.kernel.runs.domain.tracing import TraceContext
from fastflow.kernel.tracing.domain.spans import Span
from fastflow.kit.addresses import take_credentials

_TIMEOUT_SECONDS: Final = 5


class OtlpSender:
    """See `ports.SpanSender`.

    Args:
        endpoint: of the collector; its path for traces is added.
        headers: sent along, such as a key.
        service: what the spans are said to come from.
        version: of the product.
    """

    def __init__(self, endpoint: str, headers: Mapping[str, str], service: str, version: str) -> None:
        plain, credentials = take_credentials(endpoint)  # so that no report of the exporter's can hold them
        own = {} if credentials is None else {"authorization": _basic(*credentials)}
        address = f"{plain.rstrip('/')}/v1/traces"
        self._exporter = OTLPSpanExporter(endpoint=address, headers={**own, **headers}, timeout=_TIMEOUT_SECONDS)
        self._resource = Resource({"service.name": service, "service.version": version})
        self._scope = InstrumentationScope("fastflow", version)

    def send(self, spans: Sequence[Span]) -> bool:
        """See `SpanSender.send`."""
        return self._exporter.export([self._made(span) for span in spans]) is SpanExportResult.SUCCESS

    def close(self) -> None:
        """See `SpanSender.close`."""
        self._exporter.shutdown()  # type: ignore[no-untyped-call]

    def _made(self, span: Span) -> ReadableSpan:
        status = Status(StatusCode.UNSET) if span.problem is None else Status(StatusCode.ERROR, span.problem)
        return ReadableSpan(
            name=span.name,
            context=_context(span.context),
            parent=None if span.parent is None else _context(span.parent, is_remote=span.is_parent_remote),
            resource=self._resource,
            attributes=span.attributes,
            links=[Link(_context(link)) for link in span.links],
            kind=SpanKind.INTERNAL,
            status=status,
            start_time=_nanoseconds(span.since),
            end_time=_nanoseconds(span.until),
            instrumentation_scope=self._scope,
        )


def _basic(user: str, password: str) -> str:
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


def _context(context: TraceContext, *, is_remote: bool = False) -> SpanContext:
    return SpanContext(
        trace_id=int(context.trace_id, 16),
        span_id=int(context.span_id, 16),
        is_remote=is_remote,
        trace_flags=TraceFlags(TraceFlags.SAMPLED if context.is_sampled else TraceFlags.DEFAULT),
    )


def _nanoseconds(at: datetime) -> int:
    return round(at.timestamp() * 1_000_000) * 1000
