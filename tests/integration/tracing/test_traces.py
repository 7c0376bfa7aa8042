"""Traces reach a real OTLP receiver, hang below the caller's span, and survive a collector that is away."""

import asyncio
import threading
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SentSpan
from pydantic import SecretStr
from sqlalchemy import delete
from tests.integration.runs.houses import OLGA, House

from fastflow.bootstrap import build_product
from fastflow.kernel.db.engine import Database
from fastflow.kernel.runs.domain.run import Run
from fastflow.kernel.runs.domain.states import RunStatus
from fastflow.kernel.runs.domain.tracing import RunTrace, parse_traceparent
from fastflow.kernel.runs.infra.at_end import Ends, ended_on_arrival
from fastflow.kernel.runs.infra.rows import RUN, values_of
from fastflow.kernel.tracing.domain.spans import Span
from fastflow.kernel.tracing.infra.otlp import OtlpSender
from fastflow.kernel.tracing.infra.store import SqlTraceStore, TracedEnds
from fastflow.kernel.tracing.service import TraceKeeper
from fastflow.settings import Settings
from fastflow.testing.clock import START, FakeClock
from fastflow.testing.http import client_of
from fastflow.testing.run_doubles import make_run
from fastflow.web import create_app

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
SCRIPT = "import os\nprint(os.environ['TRACEPARENT'])\n"
PATIENCE_SECONDS = 60


class Collector:
    """Takes what is sent by OTLP over HTTP."""

    def __init__(self) -> None:
        self.arrived: Queue[tuple[str, str, Sequence[SentSpan]]] = Queue()
        self.authorizations: list[str | None] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                told = ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["Content-Length"])))
                spans = [span for each in told.resource_spans for scope in each.scope_spans for span in scope.spans]
                collector.authorizations.append(self.headers.get("Authorization"))
                collector.arrived.put((self.path, self.headers.get("X-Key", ""), spans))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_what: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def spans(self, count: int) -> dict[str, SentSpan]:
        """The next so many, by name."""
        found: list[SentSpan] = []
        while len(found) < count:
            path, key, spans = self.arrived.get(timeout=PATIENCE_SECONDS)
            assert (path, key) == ("/v1/traces", "k 1")
            found += spans
        return {span.name: span for span in found}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def collector() -> Iterator[Collector]:
    with closing(Collector()) as made:
        yield made


async def _submit(house: House, traceparent: str | None) -> Run:
    headers = {} if traceparent is None else {"traceparent": traceparent}
    async with client_of(create_app(house.product, local_actor=OLGA)) as client:
        answer: httpx.Response = await client.post("/pipelines/traced/run", headers=headers)
    assert answer.status_code == 202, answer.text
    return house.product.runs.get(answer.json()["id"], actor=OLGA)


async def test_run_when_traced_then_its_spans_hang_below_the_callers_and_the_scripts_below_them(
    settings: Settings, collector: Collector
) -> None:
    on = {"otel_exporter_otlp_endpoint": collector.url, "otel_exporter_otlp_headers": SecretStr("x-key=k%201")}
    (settings.pipelines_dir / "traced.py").write_text(SCRIPT)
    with closing(build_product(settings.model_copy(update=on))) as product:
        house = House(product)
        async with house.runner():
            run = await _submit(house, CALLER)
            await house.succeeds(run)
            sent = await asyncio.to_thread(collector.spans, 4)
            again = product.runs.rerun(run.id, actor=OLGA)
            await house.succeeds(again)
            sent_again = await asyncio.to_thread(collector.spans, 4)
    caller = parse_traceparent(CALLER)
    assert caller is not None
    assert set(sent) == {"run traced", "queued", "setup", "running"}
    whole = sent["run traced"]
    assert {span.trace_id.hex() for span in sent.values()} == {caller.trace_id}
    assert whole.parent_span_id.hex() == caller.span_id
    assert {sent[name].parent_span_id for name in ("queued", "setup", "running")} == {whole.span_id}
    assert whole.start_time_unix_nano <= sent["running"].start_time_unix_nano < whole.end_time_unix_nano
    log = (settings.logs_dir / f"{run.id}.log").read_text()
    assert f"00-{caller.trace_id}-{sent['running'].span_id.hex()}-01" in log
    told = {attribute.key: attribute.value.string_value for attribute in whole.attributes}
    assert (told["fastflow.run.id"], told["fastflow.run.status"]) == (run.id, "SUCCESS")

    repeated = sent_again["run traced"]
    assert repeated.trace_id != whole.trace_id and not repeated.parent_span_id
    assert [(link.trace_id, link.span_id) for link in repeated.links] == [(whole.trace_id, whole.span_id)]


class Sender:
    def __init__(self) -> None:
        self.is_away = False
        self.sent: list[Span] = []

    def send(self, spans: Sequence[Span]) -> bool:
        if not self.is_away:
            self.sent += spans
        return not self.is_away

    def close(self) -> None:
        pass


def _end(database: Database) -> Run:
    run = make_run(status=RunStatus.SUCCESS, claimed_at=START, started_at=START, finished_at=START)
    with database.write() as connection:
        connection.execute(RUN.insert(), values_of(run))
        Ends([TracedEnds()]).tell(connection, ended_on_arrival(run), START)
    return run


def test_traces_when_the_collector_is_away_then_they_wait_for_it(database: Database, clock: FakeClock) -> None:
    store, sender = SqlTraceStore(database), Sender()
    keeper = TraceKeeper(store, sender, 1.0, clock)
    assert keeper.send_some() == 0
    runs = [_end(database) for _ in range(3)]
    sender.is_away = True
    assert keeper.send_some() is None
    sender.is_away = False
    with database.write() as connection:
        connection.execute(delete(RUN).where(RUN.c.id == runs[0].id))
    assert keeper.send_some() == 3
    assert {span.context.trace_id for span in sender.sent} == {
        RunTrace.of(run.id, run.capsule, 1.0).trace_id for run in runs[1:]
    }
    assert keeper.send_some() == 0


def test_traces_when_a_sender_was_killed_then_another_sends_them_with_the_same_ids(
    database: Database, clock: FakeClock
) -> None:
    store, sender = SqlTraceStore(database), Sender()
    _end(database)
    ((_, taken),) = store.take(clock.now(), 10)
    assert taken is not None
    other = TraceKeeper(store, sender, 1.0, clock)
    assert other.send_some() == 0  # somebody is at it
    clock.advance(timedelta(seconds=61))
    assert other.send_some() == 1 and len(sender.sent) == 4


def test_traces_when_too_many_wait_then_the_oldest_are_forgotten(database: Database, clock: FakeClock) -> None:
    store = SqlTraceStore(database)
    runs = [_end(database) for _ in range(5)]
    assert (store.trim(5), store.trim(2)) == (0, 3)
    left = [ended.run.id for _, ended in store.take(clock.now(), 10) if ended is not None]
    assert left == [run.id for run in runs[3:]]


def test_collector_when_its_address_holds_a_password_then_it_is_sent_as_a_header_and_kept_nowhere_else(
    collector: Collector,
) -> None:
    address = collector.url.replace("://", "://ada:p%40ss@")
    with closing(OtlpSender(address, {"x-key": "k 1"}, "fastflow", "0")) as sender:
        assert sender.send([])
    assert collector.authorizations == ["Basic " + b64encode(b"ada:p@ss").decode()]
    assert "p%40ss" not in f"{vars(sender)} {vars(sender._exporter)}"  # so no report of the exporter's can hold it
