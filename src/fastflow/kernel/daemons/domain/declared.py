"""The `[daemon]` table of a pipeline's settings, read with every problem by its key."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from fastflow.kernel.daemons.domain.records import DaemonSpec, Replace
from fastflow.kernel.pipelines.domain.faults import FaultList
from fastflow.kernel.pipelines.domain.pipeline import Concurrency, PipelineSettings
from fastflow.kernel.pipelines.domain.toml_text import TomlText
from fastflow.kernel.runs.domain.errors import InvalidParams
from fastflow.kernel.runs.domain.params import validate_params
from fastflow.kit.durations import parse_duration
from fastflow.kit.errors import InvalidInput
from fastflow.kit.words import did_you_mean

DAEMON_KEYS = (
    "instances", "replace", "port", "health", "heartbeat", "interval", "start_period", "misses", "delay", "max_delay",
    "stable", "crash_loop", "params",
)  # fmt: skip
_HINT = "Known keys are " + ", ".join(DAEMON_KEYS) + "; the page on pipeline.toml says what each takes."


@dataclass
class _Reader:
    table: Mapping[str, Any]
    problems: dict[str, str] = field(default_factory=dict)

    def take(self, key: str, convert: Callable[[Any], Any], default: Any) -> Any:
        if key not in self.table:
            return default
        try:
            return convert(self.table[key])
        except ValueError as error:
            self.problems[key] = str(error)
        except InvalidInput:
            self.problems[key] = f"{self.table[key]!r} is no length of time; write seconds, or text such as 90s, 10m"
        return default


def judge_daemon(toml: TomlText, faults: FaultList, settings: PipelineSettings) -> None:
    """Note what is wrong with the settings' `[daemon]`, with the lines; a `Judge` of the pipelines."""
    spec, problems = read_daemon(settings.daemon, settings.params_schema)
    table = toml.below("daemon")
    for key, problem in problems.items():
        line = table.line(key) if key else toml.line("daemon")
        faults.error(toml.file, f"daemon{'.' if key else ''}{key}: {problem}.", _HINT, line=line)
    if spec is None or problems:
        return
    if settings.idle_timeout is not None:
        faults.error(
            toml.file,
            "idle_timeout would end the daemon whenever it is silent.",
            "Leave it away; daemon.heartbeat notices an instance that hangs.",
            line=toml.line("idle_timeout"),
        )
    most = spec.instances + (spec.replace == "rolling")
    if (room := _room(settings.concurrency)) is not None and room < most:
        faults.error(
            toml.file,
            f"concurrency allows {room} at once, and the daemon needs {most}"
            + (": a new instance begins before an old one is stopped." if spec.replace == "rolling" else "."),
            f'Allow {most}, or leave it away: a daemon has as many runs as daemon.instances says (replace = "stop-first": never more).',
            line=toml.line("concurrency"),
        )


def _room(concurrency: Concurrency) -> int | None:
    """How many instances may run at once: all have the same parameters, and so the same key."""
    per_key = None if concurrency.key is None else concurrency.per_key or 1
    return min((each for each in (concurrency.limit, per_key) if each is not None), default=None)


def read_daemon(value: Any, schema: Mapping[str, Any] | None) -> tuple[DaemonSpec | None, Mapping[str, str]]:
    """What the table asks for, and what is wrong with it by key.

    Args:
        value: as TOML gives it; None: the pipeline is no daemon.
        schema: of the pipeline's parameters.
    """
    if value is None:
        return None, {}
    reader = _Reader(value)
    default = DaemonSpec()
    for key in value:
        if key not in DAEMON_KEYS:
            reader.problems[key] = f"it is no key of [daemon]{did_you_mean(key, DAEMON_KEYS)}".removesuffix(".")
    spec = DaemonSpec(
        instances=reader.take("instances", _whole(1, 100), default.instances),
        replace=reader.take("replace", _one_of(get_args(Replace)), default.replace),
        port=reader.take("port", _whole(1, 65_000), None),
        health=reader.take("health", _health, None),
        heartbeat=reader.take("heartbeat", _seconds, None),
        interval=reader.take("interval", _seconds, default.interval),
        start_period=reader.take("start_period", _seconds, default.start_period),
        misses=reader.take("misses", _whole(1, 100), default.misses),
        delay=reader.take("delay", _seconds, default.delay),
        max_delay=reader.take("max_delay", _seconds, default.max_delay),
        stable=reader.take("stable", _seconds, default.stable),
        crash_loop=reader.take("crash_loop", _whole(2, 1000), default.crash_loop),
        params=reader.take("params", _table, {}),
    )
    if spec.health is not None and spec.port is None and "port" not in reader.problems:
        reader.problems["health"] = "it needs a port: add port = 9000, and listen on the one in FASTFLOW_PORT"
    try:
        validate_params(spec.params, schema)
    except InvalidParams as error:
        reader.problems["params"] = "; ".join(f"{name}: {problem}" for name, problem in error.fields.items())
    except InvalidInput:  # the schema itself is wrong, which is told where it stands
        pass
    return spec, reader.problems


def _whole(lowest: int, highest: int) -> Callable[[Any], int]:
    def convert(value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= highest:
            raise ValueError(f"{value!r} is no whole number from {lowest} to {highest}")
        return value

    return convert


def _one_of(words: Collection[str]) -> Callable[[Any], str]:
    def convert(value: Any) -> str:
        if value not in words:
            raise ValueError(f"{value!r} is none of {', '.join(words)}")
        return str(value)

    return convert


def _health(value: Any) -> str:
    if not isinstance(value, str) or not (value == "tcp" or value.startswith("/")) or not value.isprintable():
        raise ValueError(f'{value!r} is neither a path such as "/health" nor "tcp"')
    if " " in value or len(value) > 500:
        raise ValueError(f"{value[:60]!r} is no path")
    return value


def _seconds(value: Any) -> float:
    return parse_duration(value, "it")


def _table(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{value!r} is no table")  # noqa: TRY004 - a value of the file
    return value
