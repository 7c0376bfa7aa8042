"""Assembles tracing: what notes ended runs, and the keeper that sends, for the runner process."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec

from fastflow.kernel.db.engine import Database
from fastflow.kernel.runs.infra.at_end import AtEnd
from fastflow.kernel.tracing.infra.store import SqlTraceStore, TracedEnds
from fastflow.kernel.tracing.ports import SpanSender
from fastflow.kernel.tracing.service import TraceKeeper
from fastflow.kit.clock import Clock
from fastflow.kit.errors import InvalidInput


@dataclass(frozen=True, kw_only=True)
class TracingSettings:
    """Where traces go.

    Attributes:
        endpoint: None: nowhere, tracing is off.
        headers: sent along.
        service: what they are said to come from.
        share: of the traces that begin here, how many are sent: 0 to 1.
        version: of the product.
    """

    endpoint: str | None = None
    headers: Mapping[str, str]
    service: str = "fastflow"
    share: float = 1.0
    version: str = "0"


@dataclass(frozen=True, kw_only=True)
class TracingRoom:
    """What notes ends, and what makes the worker.

    Attributes:
        share: as `trace_environment` takes it; None: tracing is off.
    """

    at_end: tuple[AtEnd, ...]
    share: float | None
    make_keeper: Callable[[], TraceKeeper]


def build_tracing(database: Database, settings: TracingSettings, clock: Clock) -> TracingRoom:
    """Tracing on the product's database.

    Raises:
        InvalidInput: a collector is named, and what speaks to it is not installed.
    """
    if settings.endpoint is None:
        return TracingRoom(at_end=(), share=None, make_keeper=lambda: TraceKeeper(None, None, 0.0, clock))
    endpoint = settings.endpoint
    if not _is_installed():
        raise InvalidInput(
            "OTEL_EXPORTER_OTLP_ENDPOINT names a collector, but OpenTelemetry is not installed.",
            code="invalid_setting",
            hint="`make install` in the clone brings the extra `otel`; or unset the variable.",
            fields={"OTEL_EXPORTER_OTLP_ENDPOINT": "OpenTelemetry is missing"},
        )

    def make_sender() -> SpanSender:
        from fastflow.kernel.tracing.infra.otlp import OtlpSender  # an optional dependency, needed in the runner alone

        return OtlpSender(endpoint, settings.headers, settings.service, settings.version)

    return TracingRoom(
        at_end=(TracedEnds(),),
        share=settings.share,
        make_keeper=lambda: TraceKeeper(SqlTraceStore(database), make_sender(), settings.share, clock),
    )


def _is_installed() -> bool:
    try:
        return find_spec("opentelemetry.exporter.otlp.proto.http") is not None
    except ModuleNotFoundError:
        return False
