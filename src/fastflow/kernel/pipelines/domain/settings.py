"""Reading a pipeline's settings table. Every problem is noted with its line; what is right is kept."""

import re
import string
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, cast, get_args

from fastflow.kernel.executors.port import Limits
from fastflow.kernel.pipelines.domain.faults import FaultList
from fastflow.kernel.pipelines.domain.params import read_params
from fastflow.kernel.pipelines.domain.pipeline import Concurrency, PipelineSettings, Policy
from fastflow.kernel.pipelines.domain.retry import MAX_DELAY_SECONDS, RETRYABLE, STRATEGIES, RetryPolicy
from fastflow.kernel.pipelines.domain.toml_text import TomlText
from fastflow.kit.durations import parse_duration, parse_memory, parse_size
from fastflow.kit.errors import InvalidInput
from fastflow.kit.words import did_you_mean

KEYS = (
    "description", "tags", "timeout", "idle_timeout", "wait_timeout", "grace", "python", "network", "executor", "secrets",
    "retries", "retry", "limits", "concurrency", "params", "schedules", "daemon", "notify", "after",
)  # fmt: skip
_LIMIT_KEYS = ("cpus", "memory", "pids", "file_size")
_CONCURRENCY_KEYS = ("limit", "key", "per_key", "policy")
_RETRY_KEYS = (
    "policy", "max_retries", "delay", "delays", "factor", "max_delay", "jitter", "on", "exit_codes", "never_exit_codes",
    "dead_letters",
)  # fmt: skip
_POLICIES: tuple[str, ...] = get_args(Policy)
_MAX_RETRIES = 100
_DEFAULT_RETRIES = 3
_MAX_TEXT = 2000
_SECRET_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,199}")
_PYTHON = re.compile(r"[A-Za-z0-9<>=!~/][A-Za-z0-9_.<>=!~,*@+/ -]{0,199}")

Convert = Callable[[Any], Any]


class _Wrong(Exception):
    """A value is not what its key takes; the message says what it is, the hint what is wanted."""

    def __init__(self, problem: str, hint: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.hint = hint


@dataclass(frozen=True)
class _Reader:
    """Takes values out of one table."""

    toml: TomlText
    faults: FaultList
    known_executors: Collection[str] | None

    def take(self, key: str, convert: Convert, default: Any, *, shown: str | None = None) -> Any:
        table = self.toml.table
        if key not in table:
            return default
        try:
            return convert(table[key])
        except _Wrong as wrong:
            message = _sentence(f"{shown or key} = {_shown(table[key])} {wrong.problem}")
            self.faults.error(self.toml.file, message, wrong.hint, line=self.toml.line(key))
        except InvalidInput as wrong:
            self.faults.error(self.toml.file, wrong.message, wrong.hint, line=self.toml.line(key))
        return default

    def check_keys(self, known: Collection[str], what: str) -> None:
        for key in self.toml.table:
            if key not in known:
                self.faults.error(
                    self.toml.file,
                    f"{key!r} is no {what}.{did_you_mean(key, known)}",
                    f"Known are {', '.join(known)}.",
                    line=self.toml.line(key),
                )

    def below(self, key: str) -> "_Reader":
        return _Reader(self.toml.below(key), self.faults, self.known_executors)


def read_settings(
    toml: TomlText, faults: FaultList, known_executors: Collection[str] | None = None
) -> PipelineSettings:
    """The settings in the table; `known_executors` None: any executor is taken."""
    reader = _Reader(toml, faults, known_executors)
    reader.check_keys(KEYS, "setting of a pipeline")
    schema = _params(reader)
    return PipelineSettings(
        description=reader.take("description", _text, ""),
        tags=reader.take("tags", _words, ()),
        params_schema=schema,
        run_timeout=reader.take("timeout", _duration("timeout"), None),
        idle_timeout=reader.take("idle_timeout", _duration("idle_timeout"), None),
        wait_timeout=reader.take("wait_timeout", _duration("wait_timeout"), None),
        grace=reader.take("grace", _duration("grace"), None),
        limits=_limits(reader),
        concurrency=_concurrency(reader, schema),
        secrets=reader.take("secrets", _secrets, ()),
        network=reader.take("network", _boolean, True),
        executor=reader.take("executor", _executor(known_executors), None),
        python=reader.take("python", _python, None),
        retry=_retry(reader),
        schedules=reader.take("schedules", _table_or_list, None),
        daemon=reader.take("daemon", _table, None),
        notify=reader.take("notify", _table_or_list, None),
        after=reader.take("after", _table_or_list, None),
        after_at=(toml.file, toml.line("after")) if "after" in toml.table else None,
    )


def _params(reader: _Reader) -> dict[str, Any] | None:
    if reader.take("params", _table, None) is None:
        return None
    return read_params(reader.toml.below("params"), reader.faults, KEYS)


def _limits(reader: _Reader) -> Limits:
    if reader.take("limits", _table, None) is None:
        return Limits()
    limits = reader.below("limits")
    limits.check_keys(_LIMIT_KEYS, "limit")
    return Limits(
        cpus=limits.take("cpus", _cpus, None, shown="limits.cpus"),
        memory_bytes=limits.take("memory", lambda value: parse_memory(value, "limits.memory"), None),
        pids=limits.take("pids", _whole(1, 4_194_304), None, shown="limits.pids"),
        file_size_bytes=limits.take("file_size", lambda value: parse_size(value, "limits.file_size"), None),
    )


def _concurrency(reader: _Reader, schema: Mapping[str, Any] | None) -> Concurrency:
    given = reader.toml.table.get("concurrency")
    if isinstance(given, int) and not isinstance(given, bool):
        return Concurrency(limit=reader.take("concurrency", _whole(1, 10_000), None))
    if reader.take("concurrency", _table, None) is None:
        return Concurrency()
    table = reader.below("concurrency")
    table.check_keys(_CONCURRENCY_KEYS, "key of [concurrency]")
    key = table.take("key", _key_template(schema), None, shown="concurrency.key")
    per_key = table.take("per_key", _whole(1, 10_000), None, shown="concurrency.per_key")
    if per_key is not None and "key" not in table.toml.table:
        reader.faults.error(
            table.toml.file,
            "concurrency.per_key has no key to count by.",
            'Add a key over the parameters, such as key = "{CITY}", or use limit.',
            line=table.toml.line("per_key"),
        )
    return Concurrency(
        limit=table.take("limit", _whole(1, 10_000), None, shown="concurrency.limit"),
        key=key,
        per_key=1 if key is not None and per_key is None else per_key,
        policy=cast("Policy", table.take("policy", _one_of(_POLICIES), "queue", shown="concurrency.policy")),
    )


def _retry(reader: _Reader) -> RetryPolicy | None:
    count = reader.take("retries", _whole(0, _MAX_RETRIES), None)
    if reader.take("retry", _table, None) is None:
        return None if count is None else RetryPolicy(max_retries=count)
    table = reader.below("retry")
    table.check_keys(_RETRY_KEYS, "key of [retry]")
    if count is not None:
        _fault(
            reader,
            "retries",
            "retries and [retry] say the same.",
            "Leave retries away, and write max_retries in [retry].",
        )
    given = table.toml.table
    strategy = table.take(
        "policy", _one_of(STRATEGIES), "list" if "delays" in given else "exponential", shown="retry.policy"
    )
    delays = table.take("delays", _pauses, (), shown="retry.delays")
    for key in ("delays",) if strategy != "list" else ("delay", "factor"):
        if key in given:
            _fault(table, key, f"retry.{key} has no effect with the policy {strategy}.", "Leave one of the two away.")
    if strategy == "list" and "delays" not in given:
        _fault(table, "policy", "retry.delays is missing, which the policy list needs.", 'Add delays = ["10s", "1m"].')
    if strategy == "list" and not delays:
        return RetryPolicy()  # a fault was told above
    default = RetryPolicy()
    only = table.take("exit_codes", _exit_codes, None, shown="retry.exit_codes")
    never = table.take("never_exit_codes", _exit_codes, (), shown="retry.never_exit_codes")
    if both := sorted({*(only or ())} & {*never}):
        _fault(table, "never_exit_codes", f"{both[0]} is in retry.exit_codes, too.", "Leave it in one of the two.")
    return RetryPolicy(
        policy=strategy,
        max_retries=table.take(
            "max_retries", _whole(0, _MAX_RETRIES), len(delays) or _DEFAULT_RETRIES, shown="retry.max_retries"
        ),
        delay=table.take("delay", _pause, default.delay, shown="retry.delay"),
        factor=table.take("factor", _number(1, 100), default.factor, shown="retry.factor"),
        max_delay=table.take(
            "max_delay", _pause, MAX_DELAY_SECONDS if delays else default.max_delay, shown="retry.max_delay"
        ),
        delays=delays,
        jitter=table.take("jitter", _number(0, 1), default.jitter, shown="retry.jitter"),
        on=table.take("on", _reasons, RETRYABLE, shown="retry.on"),
        exit_codes=only,
        never_exit_codes=never,
        dead_letters=table.take("dead_letters", _boolean, None, shown="retry.dead_letters"),
    )


def _fault(reader: _Reader, key: str, problem: str, remedy: str) -> None:
    reader.faults.error(reader.toml.file, problem, remedy, line=reader.toml.line(key))


# --- what the keys take ----------------------------------------------------------------------------------------------


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > _MAX_TEXT:
        raise _Wrong("is no text", f"Write text of at most {_MAX_TEXT} characters in quotes.")
    return value.strip()


def _words(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(word, str) and word.strip() for word in value):
        raise _Wrong("is no list of words", 'Write a list of texts, such as ["daily", "finance"].')
    return tuple(dict.fromkeys(word.strip() for word in value))


def _duration(key: str) -> Convert:
    return lambda value: parse_duration(value, key)


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _Wrong("is neither true nor false", "Write true or false, without quotes.")
    return value


def _whole(lowest: int, highest: int) -> Convert:
    def convert(value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= highest:
            raise _Wrong("is out of range", f"Write a whole number from {lowest} to {highest}, without quotes.")
        return value

    return convert


def _number(lowest: float, highest: float) -> Convert:
    def convert(value: Any) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool) or not lowest <= value <= highest:
            raise _Wrong("is out of range", f"Write a number from {lowest:g} to {highest:g}, without quotes.")
        return float(value)

    return convert


def _pause(value: Any) -> float:
    seconds = 0.0 if value == 0 and not isinstance(value, bool) else parse_duration(value, "the pause")
    if seconds > MAX_DELAY_SECONDS:
        raise _Wrong("is too long", "Write at most 30d.")
    return seconds


def _pauses(value: Any) -> tuple[float, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= _MAX_RETRIES:
        raise _Wrong("is no list of pauses", f'Write 1 to {_MAX_RETRIES} durations, such as ["10s", "1m", "10m"].')
    return tuple(_pause(each) for each in value)


def _exit_codes(value: Any) -> tuple[int, ...]:
    whole = isinstance(value, list) and all(isinstance(code, int) and not isinstance(code, bool) for code in value)
    if not whole or not value or not all(-64 <= code <= 255 for code in value):
        raise _Wrong("is no list of exit codes", "Write whole numbers such as [1, 75]; -9 stands for the signal 9.")
    return tuple(dict.fromkeys(value))


def _reasons(value: Any) -> tuple[str, ...]:
    names = _words(value)
    for name in names:
        if name not in RETRYABLE:
            near = did_you_mean(name, RETRYABLE)
            raise _Wrong(
                f"holds {name!r}, which is not tried again.{near}".removesuffix("."), f"Use {', '.join(RETRYABLE)}."
            )
    return names


def _cpus(value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0.01 <= value <= 4096:
        raise _Wrong("is no number of processors", "Write a number such as 0.5 or 2, at least 0.01.")
    return float(value)


def _table(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _Wrong("is no table", "Write a table: a line with the name in brackets, then its keys.")
    return value


def _table_or_list(value: Any) -> Any:
    if not isinstance(value, dict | list):
        raise _Wrong("is neither a table nor a list", "Write a table, or a list of tables or names.")
    return value


def _secrets(value: Any) -> tuple[str, ...]:
    names = _words(value)
    for name in names:
        if not _SECRET_NAME.fullmatch(name):
            raise _Wrong(
                f"holds {name!r}, which is no secret's name",
                "Use letters, digits and `_`: the secret is handed in as the environment variable of that name.",
            )
    return names


def _python(value: Any) -> str:
    if not isinstance(value, str) or not _PYTHON.fullmatch(value.strip()):
        raise _Wrong(
            "is no Python version",
            'Write it in quotes, such as "3.12" or ">=3.11"; without them 3.10 would be the number 3.1.',
        )
    return value.strip()


def _executor(known: Collection[str] | None) -> Convert:
    def convert(value: Any) -> str:
        if not isinstance(value, str) or (known is not None and value not in known):
            near = did_you_mean(str(value), known or ())
            raise _Wrong(f"is no executor.{near}".removesuffix("."), f"Use one of: {', '.join(sorted(known or ()))}.")
        return value

    return convert


def _one_of(known: Collection[str]) -> Convert:
    def convert(value: Any) -> str:
        if value not in known:
            near = did_you_mean(str(value), known)
            raise _Wrong(f"is no policy.{near}".removesuffix("."), f"Use one of: {', '.join(known)}.")
        return str(value)

    return convert


def _key_template(schema: Mapping[str, Any] | None) -> Convert:
    names = list((schema or {}).get("properties", {}))

    def convert(value: Any) -> str:
        if not isinstance(value, str):
            raise _Wrong("is no text", 'Write a template over the parameters, such as "{CITY}".')
        try:
            parts = list(string.Formatter().parse(value))
        except ValueError as error:
            raise _Wrong(f"is no template: {error}", 'Write names in braces, such as "{CITY}-{YEAR}".') from error
        fields = [(name, form, conversion) for _, name, form, conversion in parts if name is not None]
        if not fields:
            raise _Wrong("names no parameter", 'Write a template over the parameters, such as "{CITY}".')
        for name, form, conversion in fields:
            if form or conversion or name not in names:
                near = did_you_mean(name, names)
                raise _Wrong(
                    f"names {name!r}, which is no parameter.{near}".removesuffix("."),
                    f"Use the parameters' plain names: {', '.join(names) or 'there are none in [params]'}.",
                )
        return value

    return convert


def _sentence(text: str) -> str:
    return text if text.endswith("?") else f"{text}."


def _shown(value: Any) -> str:
    text = f'"{value}"' if isinstance(value, str) else str(value)
    if isinstance(value, bool):
        text = text.lower()
    return text if len(text) <= 60 else text[:57] + "..."
