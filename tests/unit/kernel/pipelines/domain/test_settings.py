from collections.abc import Callable

import pytest

from fastflow.kernel.executors.port import Limits
from fastflow.kernel.pipelines.domain.faults import Fault
from fastflow.kernel.pipelines.domain.pipeline import Concurrency, Pipeline
from fastflow.kernel.pipelines.domain.retry import RetryPolicy

Read = Callable[..., Pipeline]
FaultsOf = Callable[..., list[Fault]]

EVERYTHING = """
description = " Recency, frequency, monetary value "
tags = ["daily", "finance", "daily"]
timeout = "10m"
idle_timeout = 90
wait_timeout = "1h"
grace = "5s"
python = "3.12"
network = false
executor = "process"
secrets = ["DB_PASSWORD"]
after = ["load"]

[limits]
cpus = 0.5
memory = "512MB"
pids = 64
file_size = "1GB"

[concurrency]
limit = 4
key = "{CITY}-{YEAR}"
per_key = 2
policy = "cancel-old"

[params]
CITY = "string"
YEAR = { type = "integer", default = 2026 }

[retry]
policy = "exponential"
max_retries = 4
delay = "5s"
factor = 3
max_delay = "2m"
jitter = 0
on = ["exit", "lost"]
exit_codes = [1, 75]
never_exit_codes = [2]
dead_letters = false

[[schedules]]
cron = "0 6 * * *"
"""


def test_settings_when_all_are_given_then_all_are_read(read: Read) -> None:
    pipeline = read({"pipeline.toml": EVERYTHING})
    assert pipeline.faults == ()
    assert pipeline.description == "Recency, frequency, monetary value"
    assert pipeline.tags == ("daily", "finance")
    assert (pipeline.run_timeout, pipeline.idle_timeout, pipeline.wait_timeout, pipeline.grace) == (600, 90, 3600, 5)
    assert pipeline.python == "3.12"
    assert pipeline.network is False
    assert pipeline.executor == "process"
    assert pipeline.secrets == ("DB_PASSWORD",)
    assert pipeline.retry == RetryPolicy(
        max_retries=4,
        delay=5,
        factor=3,
        max_delay=120,
        jitter=0,
        on=("exit", "lost"),
        exit_codes=(1, 75),
        never_exit_codes=(2,),
        dead_letters=False,
    )
    assert pipeline.limits == Limits(cpus=0.5, memory_bytes=512 * 2**20, pids=64, file_size_bytes=2**30)
    assert pipeline.concurrency == Concurrency(limit=4, key="{CITY}-{YEAR}", per_key=2, policy="cancel-old")
    assert pipeline.schedules == [{"cron": "0 6 * * *"}]
    assert pipeline.after == ["load"]


@pytest.mark.parametrize(
    ("toml", "line", "said"),
    [
        ("timeot = 3", 1, "Did you mean 'timeout'"),
        ("[limts]\nmemory = 1", 1, "Did you mean 'limits'?"),
        ("[limits]\nmem = 1", 2, "Did you mean 'memory'?"),
        ("timeout = 0", 1, "timeout = 0 is not a duration"),
        ('timeout = "soon"', 1, "not a duration"),
        ("timeout = true", 1, "not a duration"),
        ("description = 3", 1, "is no text"),
        ('tags = "a"', 1, "is no list of words"),
        ('tags = [""]', 1, "is no list of words"),
        ('network = "no"', 1, "neither true nor false"),
        ("python = 3.11", 1, "is no Python version"),
        ('python = "--help"', 1, "is no Python version"),
        ('executor = "proces"', 1, "Did you mean 'process'?"),
        ('secrets = ["A-B"]', 1, "'A-B'"),
        ("retries = 1.5", 1, "out of range"),
        ("retries = true", 1, "out of range"),
        ("retries = 1\n[retry]\nmax_retries = 1", 1, "say the same"),
        ("retry = 3", 1, "is no table"),
        ("[retry]\ntries = 3", 2, "is no key of [retry]"),
        ('[retry]\npolicy = "linear"', 2, "is no policy"),
        ('[retry]\npolicy = "list"', 2, "retry.delays is missing"),
        ('[retry]\ndelays = ["1s"]\nfactor = 2', 3, "has no effect with the policy list"),
        ('[retry]\npolicy = "fixed"\ndelays = ["1s"]', 3, "has no effect with the policy fixed"),
        ("[retry]\ndelays = []", 2, "is no list of pauses"),
        ('[retry]\ndelay = "31d"', 2, "is too long"),
        ("[retry]\njitter = 2", 2, "out of range"),
        ("[retry]\nfactor = 0.5", 2, "out of range"),
        ('[retry]\non = ["timout"]', 2, "Did you mean 'timeout'?"),
        ('[retry]\non = ["cancelled"]', 2, "not tried again"),
        ('[retry]\nexit_codes = ["1"]', 2, "is no list of exit codes"),
        ("[retry]\nexit_codes = [1]\nnever_exit_codes = [1]", 3, "is in retry.exit_codes, too"),
        ("limits = 3", 1, "is no table"),
        ('[limits]\n\ncpus = "2"', 3, "is no number of processors"),
        ("[limits]\ncpus = 0", 2, "is no number of processors"),
        ('[limits]\nmemory = "lots"', 2, "limits.memory"),
        ('[limits]\nmemory = "5MB"', 2, "less than a run needs to start"),
        ("[limits]\nmemory = 512", 2, "less than a run needs to start"),
        ("[limits]\npids = 0", 2, "limits.pids"),
        ("limits.pids = 0", 1, "limits.pids"),
        ("limits = { pids = 0 }", 1, "limits.pids"),
        ('[concurrency]\npolicy = "cancel"', 2, "Did you mean 'cancel-old' or 'cancel-new'?"),
        ("[concurrency]\nlimit = 0", 2, "concurrency.limit"),
        ("[concurrency]\nper_key = 1", 2, "no key to count by"),
        ('[concurrency]\nkey = "{CITI}"\n[params]\nCITY = "string"', 2, "Did you mean 'CITY'?"),
        ('[concurrency]\nkey = "{CITY"\n[params]\nCITY = "string"', 2, "is no template"),
        ('[concurrency]\nkey = "{CITY!r}"\n[params]\nCITY = "string"', 2, "is no parameter"),
        ('[concurrency]\nkey = "{}"\n[params]\nCITY = "string"', 2, "is no parameter"),
        ('[concurrency]\nkey = "always"', 2, "names no parameter"),
        ('daemon = "yes"', 1, "is no table"),
        ('schedules = "daily"', 1, "neither a table nor a list"),
        ("after = 3", 1, "neither a table nor a list"),
        ('"odd key" = 1', 1, "'odd key'"),
    ],
)
def test_setting_when_wrong_then_fault_names_line_value_and_remedy(
    faults_of: FaultsOf, toml: str, line: int, said: str
) -> None:
    (fault,) = faults_of({"pipeline.toml": toml})
    assert (fault.file, fault.line, fault.severity) == ("demo/pipeline.toml", line, "error")
    assert said in fault.message
    assert fault.hint
    assert not fault.message.endswith("..")


def test_concurrency_when_a_number_then_it_is_the_limit(read: Read) -> None:
    assert read({"pipeline.toml": "concurrency = 1"}).concurrency == Concurrency(limit=1)


def test_concurrency_when_key_without_per_key_then_one_run_per_key(read: Read) -> None:
    toml = '[concurrency]\nkey = "{A}"\n[params]\nA = "string"'
    assert read({"pipeline.toml": toml}).concurrency.per_key == 1


def test_wrong_settings_when_others_are_right_then_those_are_kept(read: Read) -> None:
    pipeline = read({"pipeline.toml": 'timeout = "never"\ndescription = "kept"'})
    assert not pipeline.is_healthy
    assert pipeline.description == "kept"


@pytest.mark.parametrize(
    ("toml", "retry"),
    [
        ("retries = 2", RetryPolicy(max_retries=2)),
        ("[retry]", RetryPolicy(max_retries=3)),
        (
            '[retry]\ndelays = [0, "1h"]',
            RetryPolicy(policy="list", max_retries=2, delays=(0, 3600), max_delay=2_592_000),
        ),
        ('[retry]\npolicy = "none"', RetryPolicy(policy="none", max_retries=3)),
        ("timeout = 1", None),
    ],
)
def test_retry_when_written_in_short_then_the_rest_has_its_defaults(
    read: Read, toml: str, retry: RetryPolicy | None
) -> None:
    assert read({"pipeline.toml": toml}).retry == retry
