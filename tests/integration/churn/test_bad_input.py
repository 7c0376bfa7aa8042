"""Everything that people can get wrong, walked through from the door to the run: a clear problem, a failed experiment with its reason, and a
database as it was."""

import asyncio
import hashlib
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from tests.integration.churn.definitions import GIVEN
from tests.integration.runs.houses import House

from fastflow.apps.churn.domain.document import Document
from fastflow.apps.churn.domain.experiment import Experiment
from fastflow.apps.churn.domain.experiment_rows import results_of
from fastflow.apps.churn.domain.jobs import Ask
from fastflow.apps.churn.errors import IngestRefused
from fastflow.bootstrap import Product, build_product
from fastflow.kit.identity import SYSTEM, Actor, Role
from fastflow.settings import Settings

ClientOf = Callable[..., httpx.AsyncClient]
OLGA = Actor(name="user:olga", role=Role.OPERATOR)
DICTIONARY: Mapping[str, Any] = {
    "Kunde": "PRIMARY_KEY",
    "I_TIMEBASE": "TIMEBASE",
    "I_Alive": "TARGET",
    "i_use": {"role": "DYNAMIC_FEATURE", "type": "number"},
}
FIRST, MONTHS, CUSTOMERS = 2022 * 12, 30, 120


@pytest.fixture
def database_kind() -> str:
    return "sqlite"


def panel(*, deaths: bool = True, use: str = "drawn", months: Sequence[int] = range(MONTHS)) -> bytes:
    """Customers over 30 months; `use` says what their one feature is, and `months` when there are rows at all."""
    draw = np.random.default_rng(3)
    lines = ["Kunde,I_TIMEBASE,I_Alive,i_use"]
    for customer in range(CUSTOMERS):
        last = 6 + 7 * customer % 40 if deaths else MONTHS
        for step in (month for month in months if month <= last):
            value = {"drawn": str(draw.poisson(3)), "constant": "4", "storm": "" if step else "1"}[use]
            month = FIRST + step
            lines.append(f"K{customer:03d},{month // 12}{month % 12 + 1:02d},{int(step != last)},{value}")
    return ("\n".join(lines) + "\n").encode()


def fingerprint(product: Product) -> dict[str, str]:
    """Path -> hash of everything that the churn database consists of, snapshots and segments included."""
    folder = product.churn.store.path.parent
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".lock"
    }


def take_in(product: Product, folder: Path, content: bytes, **said: Any) -> int:
    """The number of the file."""
    source = folder / "upload.csv"
    source.write_bytes(content)
    dictionary = {"columns": dict(DICTIONARY), **said}
    return product.churn.files.ingest(source, name="bad.csv", dictionary=dictionary, actor=SYSTEM).file.file_id


WINDOWS = {"training_from": 202201, "training_to": 202312, "backtest_from": 202401, "backtest_to": 202406}
AT_THE_DOOR: Mapping[str, tuple[Mapping[str, Any], str, str]] = {
    "a month that is none": ({"training_to": 202513}, "training_to", "202513 is no month"),
    "a month as people write it": ({"training_to": "Dec 23"}, "training_to", "is no month"),
    "a reversed window": ({"training_to": 202101}, "training_to", "202201-202101 is reversed"),
    "overlapping windows": ({"backtest_from": 202310}, "backtest_from", "overlap"),
    "a window that the files do not have": (
        {"backtest_from": 202402, "backtest_to": 202407},
        "backtest_to",
        "the files hold nothing after 202406",
    ),
    "an unknown feature": (
        {"hyperparameters": {"cox_covariates": ["i_uze"]}},
        "hyperparameters.cox_covariates",
        "'i_use'",
    ),
    "a policy of an unknown feature": (
        {"hyperparameters": {"cf": {"policy": {"i_uze": {"change": "up"}}}}},
        "hyperparameters.cf.policy.i_uze",
        "Did you mean 'i_use'",
    ),
    "a rule that is none": (
        {"hyperparameters": {"cf": {"policy": {"i_use": {"change": "sideways"}}}}},
        "hyperparameters.cf.policy.i_use.change",
        "Use one of free, up, down, immutable",
    ),
    "an unknown setting": ({"hyperparameters": {"sede": 1}}, "hyperparameters.sede", "Did you mean 'seed'"),
    "a name of a million characters": ({"experiment_name": "x" * 10**6}, "experiment_name", "200"),
    "a file that is not there": ({"id_files": [7]}, "id_files", "there is no file 7"),
}


async def test_experiment_when_anything_is_wrong_with_it_then_the_field_is_told_and_no_byte_changes(
    product: Product, client: ClientOf, tmp_path: Path
) -> None:
    take_in(product, tmp_path, panel())
    before = fingerprint(product)
    async with client() as http:
        for what, (change, field_, said) in AT_THE_DOOR.items():
            refused = await http.post("/experiments", json={**GIVEN, **WINDOWS, **change})
            assert refused.status_code == 422, (what, refused.text[:500])
            told = refused.json()
            assert said in told["fields"].get(field_, ""), (what, told["fields"])
            assert told["hint"] and len(refused.content) < 5000, what
            assert fingerprint(product) == before, what
        assert (await http.get("/experiments")).json()["items"] == []


FILES: Mapping[str, tuple[Callable[[bytes], bytes], str, str]] = {
    "a month that is none": (
        lambda whole: whole.replace(b",202306,", b",202513,"),
        "I_TIMEBASE",
        '"202513" is no month',
    ),
    "a cell of a million characters": (
        lambda whole: whole + b"K9999,202201,1," + b"z" * 10**6 + b"\n",
        "i_use",
        "is no number",
    ),
    "a name of a million characters": (
        lambda whole: whole + b"K" * 10**6 + b",202201,1,1\n",
        "Kunde",
        "1000000 characters",
    ),
    "the wrong encoding": (lambda whole: whole + "Kü,202201,1,1\n".encode("latin-1"), "Kunde", "0xFC"),
    "another encoding": (lambda whole: whole.decode().encode("utf-16"), "", "UTF-16"),
    "a column of nothing but NaN": (
        lambda whole: b"".join(line.rsplit(b",", 1)[0] + b",nan\n" for line in whole.splitlines()).replace(
            b"I_Alive,nan", b"I_Alive,i_use", 1
        ),
        "i_use",
        "no row has a value",
    ),
    "an unknown column": (lambda whole: whole.replace(b"i_use", b"i_usage", 1), "i_use", "no such column"),
}


def test_file_when_anything_is_wrong_with_it_then_line_and_column_are_told_and_no_byte_changes(
    product: Product, tmp_path: Path
) -> None:
    take_in(product, tmp_path, panel())
    before = fingerprint(product)
    for what, (spoil, column, said) in FILES.items():
        with pytest.raises(IngestRefused) as refused:
            take_in(product, tmp_path, spoil(panel()))
        faults = refused.value.extra["faults"]
        assert any((one["column"] or "") == column and said in one["problem"] for one in faults), (what, faults[:3])
        assert refused.value.hint and len(str(faults)) < 100_000, what
        assert fingerprint(product) == before, what


HOLDER = """
import sys
from pathlib import Path
from fastflow.apps.churn.infra.lock import DatabaseLock
from fastflow.kit.clock import SystemClock
with DatabaseLock(Path(sys.argv[1]), host="elsewhere", clock=SystemClock()).held():
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def hold(lock: Path) -> Iterator["subprocess.Popen[str]"]:
    """A process that holds the lock, killed at the end."""
    command = [sys.executable, "-c", HOLDER, str(lock)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        yield holder
        holder.kill()


async def test_database_when_locked_or_corrupt_then_it_is_told_and_not_touched(
    product: Product, client: ClientOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_in(product, tmp_path, panel())
    path, before = product.churn.store.path, fingerprint(product)
    monkeypatch.setattr(vars(product.churn.store)["_lock"], "_wait_seconds", 0.2)
    async with client() as http:
        with hold(path.with_suffix(".lock")) as holder:
            locked = await http.post("/experiments", json={**GIVEN, **WINDOWS})
            assert (locked.status_code, locked.json()["code"]) == (503, "churn_database_busy")
            assert f"process {holder.pid} on the machine elsewhere" in locked.json()["detail"]
            assert "Retry-After" in locked.headers
            assert fingerprint(product) == before
        whole = path.read_bytes()
        for damage in (whole[: len(whole) // 2], b"", whole.replace(b"202201", b'"20', 1), b"\0" * 100):
            path.write_bytes(damage)
            damaged = fingerprint(product)
            for refused in (
                await http.post("/experiments", json={**GIVEN, **WINDOWS}),
                await http.get("/experiments"),
                await http.post("/run/churn", json={"experiment_id": 1}),
            ):
                assert (refused.status_code, refused.json()["code"]) == (503, "churn_database_damaged"), damage[:40]
                assert "restore" in refused.json()["hint"]
            assert fingerprint(product) == damaged  # kept as it is, for whoever mends it
        path.write_bytes(whole)
        assert (await http.post("/experiments", json={**GIVEN, **WINDOWS})).status_code == 201


@dataclass(frozen=True)
class Hopeless:
    """An experiment that is well defined, on data of which it cannot be computed.

    Attributes:
        content: of its file. pipeline: that fails. said: in the reason. how: dictionary's further choices.
    """

    content: bytes
    pipeline: str
    said: str
    how: Mapping[str, Any] = field(default_factory=dict)


HOPELESS: Mapping[str, Hopeless] = {
    "one class only": Hopeless(
        panel(deaths=False), "churn", "customers of the training stayed. Choose windows in which"
    ),
    "all censored": Hopeless(
        panel(deaths=False).replace(b"K000", b"K999"), "cox", "720 subjects are censored. Choose a cutoff before which"
    ),
    "a constant column": Hopeless(
        panel(use="constant"), "churn", "Nothing varies in the training window: i_use is the same throughout. Take in a"
    ),
    "a storm of NaN": Hopeless(
        panel(use="storm"), "cox", "No covariate can be fitted: i_use__mean_6: never known. Take in a column"
    ),
    "an empty window": Hopeless(
        panel(months=[0, *range(24, MONTHS)]),
        "churn",
        "No customer's fate is known at the anchors 202207 to 202306. All are censored: choose windows",
        {"gaps": "allow"},
    ),
}


@pytest.fixture
def house(settings: Settings) -> Iterator[House]:
    with closing(build_product(settings)) as product:
        yield House(product)


def kept(document: Document) -> dict[str, Any]:
    """All of the database that a failed run has no business with."""
    return {name: table for name, table in document.tables.items() if name != "experiments"}


async def settled(product: Product, experiment_id: int) -> Experiment:
    """The experiment after its run has ended and was looked at."""
    async with asyncio.timeout(110):
        while (found := product.churn.experiments.find(experiment_id, actor=OLGA)).status == "processing":  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return found


@pytest.mark.timeout(300)  # two environments are built on the way
async def test_run_when_nothing_honest_can_be_computed_then_the_experiment_failed_with_the_reason(
    house: House, tmp_path: Path
) -> None:
    product, churn = house.product, house.product.churn
    async with house.runner():
        for what, case in HOPELESS.items():
            number = take_in(product, tmp_path, case.content, **case.how)
            made = churn.experiments.create({**GIVEN, **WINDOWS, "id_files": [number]}, actor=OLGA)
            before = churn.store.read()
            ask = Ask(pipeline=case.pipeline, windows={})
            job = await asyncio.to_thread(churn.runs.start, made.experiment_id, ask, actor=OLGA)
            failed = await settled(product, made.experiment_id)
            assert (failed.status, case.said in failed.reason) == ("failed", True), (what, failed.reason)
            assert failed.runs == {case.pipeline: job.run.id}
            after = churn.store.read()
            assert results_of(after, made.experiment_id) == {} and kept(after) == kept(before), what
        late = {**GIVEN, **WINDOWS, "id_files": [1], "hyperparameters": {"seed": 9}}
        made = churn.experiments.create(late, actor=OLGA)
        before = churn.store.read()
        ask = Ask(pipeline="churn", windows={})
        job = await asyncio.to_thread(churn.runs.start, made.experiment_id, ask, actor=OLGA)
        await asyncio.to_thread(churn.runs.cancel, job.run.id, actor=OLGA, reason="wrong data")
        ended = await settled(product, made.experiment_id)
    assert (ended.status, ended.reason) == ("failed", "cancelled by user:olga: wrong data")
    assert kept(churn.store.read()) == kept(before)
    reset, removed = churn.experiments.reset(made.experiment_id, actor=OLGA)
    assert (reset.status, reset.reason, removed.rows) == ("created", "", {})
