"""The figures as Prometheus reads them: names, help, labels. Changing a name here breaks somebody's dashboard."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import accumulate

from prometheus_client import ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric

from fastflow.kernel.http.page_figures import PageFigures
from fastflow.kernel.http.request_figures import BOUNDS, RequestFigures
from fastflow.kernel.metrics.domain.labels import PipelineLabels
from fastflow.kernel.metrics.domain.snapshot import Figures, Snapshot
from fastflow.kernel.metrics.domain.totals import Histogram, Total

_PROCESS = ProcessCollector(registry=None)


class Exposition:
    """What an encoder of prometheus_client collects from.

    Args:
        figures: as gathered.
        labels: how pipelines are called, see `PipelineLabels`.
        version: of the product.
        requests: of this process.
        pages: of this process.
    """

    def __init__(
        self,
        figures: Figures,
        labels: PipelineLabels,
        version: str,
        requests: RequestFigures | None = None,
        pages: PageFigures | None = None,
    ) -> None:
        self._pages = pages or PageFigures()
        self._requests = requests or RequestFigures()
        self._figures = figures
        self._labels = labels
        self._version = version

    def collect(self) -> Iterator[Metric]:
        """Every family, once."""
        figures = self._figures
        yield _info(self._version, "sqlite" if figures.is_sqlite else "postgresql")
        yield from _ended(figures.snapshot, self._labels)
        yield from _queue(figures.snapshot, self._labels, figures.now)
        yield from _runners(figures.snapshot, figures.now)
        yield from _features(figures.snapshot, figures.now)
        yield from _disk(figures)
        yield from _http(self._requests)
        yield _gauge("fastflow_pages_open", "Pages of the interface that browsers hold.", self._pages.open)
        yield _gauge("fastflow_web_tasks", "Tasks of the event loop; 0 until a page was opened.", self._pages.tasks)
        yield from _PROCESS.collect()


def _info(version: str, database: str) -> Metric:
    family = GaugeMetricFamily("fastflow_build_info", "Always 1; what runs here.", labels=["version", "database"])
    family.add_metric([version, database], 1)
    return family


def _ended(snapshot: Snapshot, labels: PipelineLabels) -> Iterator[Metric]:
    runs: dict[tuple[str, str, str], int] = defaultdict(int)
    times: dict[str, Total] = defaultdict(Total)
    for key, total in snapshot.totals.items():
        label = labels.of(key.pipeline_name)
        if label is not None:
            runs[label, key.status, key.reason] += total.runs
            times[label].merge(total)
    ended = CounterMetricFamily(
        "fastflow_runs_ended",
        "Runs that ended, since the first one; the removal of old runs takes nothing away.",
        labels=["pipeline", "status", "reason"],
    )
    for labelled, count in sorted(runs.items()):
        ended.add_metric(labelled, count)
    yield ended
    yield _histogram("fastflow_run_queue_seconds", "From submission to claim.", times, lambda total: total.queue)
    yield _histogram(
        "fastflow_run_setup_seconds", "From claim to the start of the script.", times, lambda total: total.setup
    )
    yield _histogram("fastflow_run_seconds", "From the start of the script to its end.", times, lambda total: total.run)


def _histogram(
    name: str, text: str, times: dict[str, Total], choose: Callable[[Total], Histogram]
) -> HistogramMetricFamily:
    family = HistogramMetricFamily(name, f"{text} Runs that never came so far are not in it.", labels=["pipeline"])
    for label, total in sorted(times.items()):
        histogram = choose(total)
        seen, buckets = 0, []
        for bound, count in zip([*map(str, histogram.bounds), "+Inf"], histogram.counts, strict=True):
            seen += count
            buckets.append((bound, float(seen)))
        family.add_metric([label], buckets, histogram.sum)
    return family


def _queue(snapshot: Snapshot, labels: PipelineLabels, now: datetime) -> Iterator[Metric]:
    counts: dict[tuple[str, str], int] = defaultdict(int)
    for active in snapshot.active:
        label = labels.of(active.pipeline_name)
        if label is not None:
            counts[label, active.state] += active.runs
    family = GaugeMetricFamily(
        "fastflow_runs_active",
        "Runs that are not over: QUEUED, DELAYED (waits for a time) or RUNNING.",
        labels=["pipeline", "state"],
    )
    for labelled, count in sorted(counts.items()):
        family.add_metric(labelled, count)
    yield family
    for state in ("QUEUED", "DELAYED", "RUNNING"):
        total = sum(active.runs for active in snapshot.active if active.state == state)
        yield _gauge(f"fastflow_{state.lower()}_runs", f"All runs that are {state}, of every pipeline.", total)
    yield _gauge(
        "fastflow_queue_oldest_seconds",
        "How long the run that waits longest has waited; 0: none waits.",
        _age(snapshot.oldest_queued_at, now),
    )
    yield _gauge(
        "fastflow_runs_lease_expired",
        "Running runs whose runner has not renewed its claim in time.",
        snapshot.expired_leases,
    )


def _runners(snapshot: Snapshot, now: datetime) -> Iterator[Metric]:
    age = GaugeMetricFamily(
        "fastflow_runner_heartbeat_age_seconds",
        "Since a runner last told the database that it lives; those of the last day.",
        labels=["host", "hostname"],
    )
    up = GaugeMetricFamily("fastflow_runner_up", "0: stopped in order.", labels=["host", "hostname"])
    for runner in snapshot.runners:
        age.add_metric([runner.host, runner.hostname], _age(runner.seen_at, now))
        up.add_metric([runner.host, runner.hostname], 0 if runner.is_stopped else 1)
    yield age
    yield up


def _features(snapshot: Snapshot, now: datetime) -> Iterator[Metric]:
    lateness = 0.0 if snapshot.late_schedules == 0 else _age(snapshot.earliest_fire_at, now)
    yield _gauge("fastflow_schedules", "Schedules with a due time ahead.", snapshot.schedules)
    yield _gauge(
        "fastflow_schedules_late", "Schedules whose due time passed unhandled, grace included.", snapshot.late_schedules
    )
    yield _gauge("fastflow_schedule_lateness_seconds", "By how much the latest of them is late.", lateness)
    yield _gauge("fastflow_schedule_missed_last_day", "Due times missed in 24 hours.", snapshot.missed_due_times)
    yield _gauge("fastflow_dead_letters", "Runs that failed for good and were not settled.", snapshot.dead_letters)
    yield _gauge("fastflow_outbox_waiting", "Messages that wait to be sent.", snapshot.outbox_waiting)
    yield _gauge(
        "fastflow_outbox_overdue_seconds",
        "How long the oldest of them has been due; quiet hours and retries are not counted.",
        _age(snapshot.outbox_oldest_at, now),
    )
    yield _gauge("fastflow_channels_failing", "Channels that did not take the last message.", snapshot.failing_channels)
    yield _gauge("fastflow_environments", "Environments built.", snapshot.environments)
    yield _gauge("fastflow_environments_bytes", "Their size when built.", snapshot.environment_bytes)
    yield _gauge("fastflow_daemons_crash_loop", "Daemons that crash again and again.", snapshot.crash_loops)
    yield _gauge("fastflow_repositories_failing", "Repositories with a problem.", snapshot.troubled_repositories)
    yield _gauge("fastflow_flows_running", "Flows and backfills not over.", snapshot.running_flows)
    yield _gauge("fastflow_approvals_waiting", "Steps that wait for a person.", snapshot.waiting_approvals)


def _disk(figures: Figures) -> Iterator[Metric]:
    free = GaugeMetricFamily("fastflow_disk_free_bytes", "Free where the folder is.", labels=["folder"])
    size = GaugeMetricFamily("fastflow_disk_size_bytes", "Size of that file system.", labels=["folder"])
    for disk in figures.disks:
        free.add_metric([disk.folder], disk.free_bytes)
        size.add_metric([disk.folder], disk.total_bytes)
    yield free
    yield size
    if figures.logs is not None:
        yield _gauge("fastflow_logs_bytes", "Size of the logs of this server.", figures.logs.bytes)
        yield _gauge("fastflow_logs_files", "Their number.", figures.logs.files)
        age = _age(figures.logs.counted_at, figures.now)
        yield _gauge("fastflow_logs_counted_age_seconds", "Since they were counted.", age)


def _http(requests: RequestFigures) -> Iterator[Metric]:
    answers = CounterMetricFamily(
        "fastflow_http_requests",
        "Requests answered by this process, by the template of their path.",
        labels=["route", "method", "status"],
    )
    for labelled, count in sorted(requests.answers.items()):
        answers.add_metric(labelled, count)
    yield answers
    took = HistogramMetricFamily(
        "fastflow_http_request_seconds",
        "From the request to the beginning of its answer; how long a stream then goes on is not in it.",
        labels=["route", "method"],
    )
    for key, times in sorted(requests.times.items()):
        buckets = zip([*map(str, BOUNDS), "+Inf"], accumulate(times.counts), strict=True)
        took.add_metric(key, [(bound, float(seen)) for bound, seen in buckets], times.sum)
    yield took


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=value)


def _age(at: datetime | None, now: datetime) -> float:
    return 0.0 if at is None else max(0.0, (now - at).total_seconds())
