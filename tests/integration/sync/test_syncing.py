"""Syncs from a real repository: what becomes active, what is refused, what stays."""

import asyncio
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from tests.integration.sync.conftest import ADMIN, OPERATOR, House

from fastflow.bootstrap import build_product
from fastflow.cli.places import is_synced_pipeline
from fastflow.kernel.environments.domain.errors import SetupFailed
from fastflow.kernel.notifications.domain.rule import RuleDefinition
from fastflow.kernel.notifications.infra.rule_store import SqlRuleStore
from fastflow.kernel.notifications.service.rules import make_rule
from fastflow.kernel.pipelines.domain.errors import PipelineBroken, PipelineNotFound
from fastflow.kernel.schedules.domain.schedule import Definition as ScheduleDefinition
from fastflow.kernel.sync.domain.errors import SyncRefused, VersionNotFound
from fastflow.kernel.sync.domain.plan import Plan
from fastflow.kernel.sync.domain.sync import Sync
from fastflow.kernel.sync.infra.rows import SYNC
from fastflow.kernel.webhooks.domain.webhook import WebhookDefinition
from fastflow.kit.errors import Forbidden, InvalidInput
from fastflow.kit.identity import Actor, Role

SQLITE = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
NIGHTLY = '[[schedules]]\nname = "nightly"\ncron = "{}"\ntimezone = "Europe/Berlin"\n'


def change_of(plan: Any, name: str) -> dict[str, Any]:
    (found,) = [one for one in plan["pipelines"] if one["name"] == name]
    return dict(found)


async def test_sync_when_the_branch_has_pipelines_then_they_are_in_the_catalogue(house: House) -> None:
    house.add()
    done = await house.sync(reason="first try")
    assert (done.state, done.why) == ("activated", "Added hello.")
    assert (done.subject, done.author, done.requested_by, done.reason) == ("First", "Ada", "user:olga", "first try")
    assert house.names() == ["hello"]
    assert house.product.pipelines.get("hello").repository == "flows"
    frozen = house.product.pipelines.freeze("hello")
    assert (frozen.commit, frozen.dirty) == (done.commit, False)
    assert (frozen.code_dir / "hello.py").read_text() == "print('one')\n"
    run = house.submit("hello")
    assert run.commit == done.commit
    steps = [event.data["step"] for event in house.events(done) if event.kind == "step"]
    assert steps == ["fetch", "check", "plan", "preheat", "activate"]
    assert house.events(done)[-1].data == {"state": "activated", "why": "Added hello."}
    assert [entry.action for entry in house.product.audit.list().items if "sync" in entry.action] == [
        "sync.activate",
        "sync.request",
    ]


async def test_sync_when_pushed_again_then_the_new_version_runs_and_a_waiting_run_keeps_its_code(house: House) -> None:
    house.add()
    first = await house.sync()
    waiting = house.submit("hello")
    pushed = house.upstream.push({"hello.py": "print('two')\n"}, "Second")
    second = await house.sync()
    assert (second.state, second.commit_before, second.commit) == ("activated", first.commit, pushed)
    assert house.submit("hello").commit == pushed
    kept = house.product.pipelines.thaw(house.product.runs.get(waiting.id, actor=ADMIN).capsule["tree_hash"])
    assert (kept / "hello.py").read_text() == "print('one')\n"
    assert (await house.sync()).state == "unchanged"


@SQLITE
async def test_sync_when_a_pipeline_runs_on_a_cluster_then_its_environment_is_locked_and_not_built_here(
    house: House,
) -> None:
    house.add()
    header = "# /// script\n# dependencies = []\n# ///\n"
    toml = 'executor = "ray"\n'
    house.upstream.push(
        {"far/main.py": f"{header}print(1)\n", "far/pipeline.toml": toml, "near.py": f"{header}print(2)\n"}
    )
    done = await house.sync()
    assert done.state == "activated" and done.plan is not None
    far, near = (change_of(done.plan, name)["environment"] for name in ("far", "near"))
    assert (far["state"], near["state"]) == ("elsewhere", "ready") and far["hash"]
    (text,) = [event.data["text"] for event in house.events(done) if event.data.get("step") == "preheat"]
    assert text.endswith("of its pipelines are made ready. Those of 1 are made where they run, by their first runs.")
    told = {event.data["pipeline"] for event in house.events(done) if event.kind == "pipeline"}
    assert "near" in told and "far" not in told
    pipelines = house.product.pipelines.list()
    assert house.product.make_warm_up().states(pipelines).keys() == {"hello", "near"}


@SQLITE
async def test_sync_when_the_branch_was_rewritten_then_the_remote_wins(house: House) -> None:
    house.add()
    await house.sync()
    house.upstream.git("commit", "--amend", "--quiet", "--message", "Rewritten")
    house.upstream.push({"hello.py": "print('other')\n"}, "On it", force=True)
    assert (await house.sync()).state == "activated"
    assert (house.product.pipelines.freeze("hello").code_dir / "hello.py").read_text() == "print('other')\n"


@SQLITE
async def test_plan_when_made_then_it_tells_every_difference_and_changes_nothing(house: House) -> None:
    house.add()
    files = {
        "report/main.py": "print('r')\n",
        "report/pipeline.toml": 'timeout = "5m"\n' + NIGHTLY.format("0 2 * * *"),
        "gone.py": "print()\n",
        "same.py": "print()\n",
    }
    house.upstream.push(files)
    before = await house.sync()
    house.product.schedules.declared.keep_in_step()
    house.upstream.push(
        {
            "report/pipeline.toml": 'timeout = "9m"\n[limits]\nmemory = "1GB"\n' + NIGHTLY.format("0 3 * * *"),
            "report/helper.py": "x = 1\n",
            "gone.py": None,
            "new.py": "# /// script\n# dependencies = []\n# ///\nprint('n')\n",
        },
        "Rework",
    )
    planned = await house.sync(plan_only=True)
    assert (planned.state, planned.why) == ("planned", "Added new; changed report; removed gone.")
    assert house.active() == before.commit and "new" not in house.names()
    plan = planned.plan
    assert plan is not None
    report = change_of(plan, "report")
    assert report["files"] == {"helper.py": "added", "pipeline.toml": "changed"}
    assert {one["setting"]: (one["before"], one["after"]) for one in report["settings"]} == {
        "timeout": (300.0, 540.0),
        "limits.memory_bytes": (None, 2**30),
    }
    assert change_of(plan, "gone")["files"] == {"gone.py": "removed"}
    assert plan["unchanged"] == 2 and plan["blockers"] == []
    (schedule,) = plan["schedules"]
    assert (schedule["change"], schedule["before"], schedule["after"]) == (
        "changed",
        "cron 0 2 * * * Europe/Berlin",
        "cron 0 3 * * * Europe/Berlin",
    )


@SQLITE
async def test_sync_when_a_pipeline_is_broken_then_it_is_refused_with_the_line_and_the_old_version_stays(
    house: House,
) -> None:
    house.add()
    first = await house.sync()
    house.upstream.push({"hello.py": "print('two'\n"}, "Broken")
    refused = await house.sync()
    assert refused.state == "refused"
    assert "hello.py:1" in refused.why and "never closed" in refused.why and "`force`" in refused.why
    assert house.active() == first.commit
    assert house.product.pipelines.get("hello").is_healthy
    forced = await house.sync(force=True)
    assert forced.state == "activated"
    with pytest.raises(PipelineBroken):
        house.submit("hello")
    # what was broken before blocks nothing
    house.upstream.push({"good.py": "print()\n"}, "Another")
    later = await house.sync()
    assert later.state == "activated"
    house.upstream.push({"hello.py": "print('three'\n"}, "Still broken")
    later = await house.sync()
    assert later.state == "activated"
    assert later.plan is not None and "could not run before either" in later.plan["warnings"][0]


@SQLITE
async def test_sync_when_requirements_cannot_be_resolved_then_it_is_refused_with_their_line(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.add()
    await house.sync()
    house.upstream.push({"r/main.py": "print()\n", "r/requirements.txt": "good\nbad-one==99\n"})

    async def lock(request: Any, on_line: Callable[[str], None] | None = None) -> Any:
        assert on_line is not None
        on_line("resolving")
        raise SetupFailed("Because bad-one was not found in the package registry, it cannot be.")

    monkeypatch.setattr(house.product.environments, "lock", lock)
    refused = await house.sync()
    assert refused.state == "refused" and refused.plan is not None
    (blocker,) = refused.plan["blockers"]
    assert (blocker["kind"], blocker["file"], blocker["line"]) == ("lock", "r/requirements.txt", 2)
    assert "bad-one was not found" in blocker["message"]
    assert change_of(refused.plan, "r")["requirements_added"] == ["good", "bad-one==99"]
    told = [event for event in house.events(refused) if event.data.get("pipeline") == "r"]
    assert [event.kind for event in told] == ["line", "pipeline"]
    assert house.names() == ["hello"]


@SQLITE
async def test_sync_when_an_environment_cannot_be_built_then_it_is_refused(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.add()

    async def ensure(request: Any, on_line: Any = None) -> Any:
        raise SetupFailed("the wheel is damaged")

    monkeypatch.setattr(house.product.environments, "ensure", ensure)
    refused = await house.sync()
    assert refused.state == "refused" and "the wheel is damaged" in refused.why
    assert house.active() is None and house.names() == []
    assert refused.plan is not None and change_of(refused.plan, "hello")["environment"]["state"] == "failed"


@SQLITE
async def test_sync_when_the_disk_is_nearly_full_then_it_activates_and_builds_nothing_ahead(
    build: Callable[..., House], monkeypatch: pytest.MonkeyPatch
) -> None:
    house = build(min_free_disk_mb=10**9)
    house.add()
    monkeypatch.setattr(house.product.environments, "ensure", None)
    done = await house.sync()
    assert done.state == "activated"
    assert any("MIN_FREE_DISK_MB" in event.data.get("text", "") for event in house.events(done))


@SQLITE
async def test_sync_when_pipelines_run_after_one_another_then_circles_and_lost_upstreams_are_refused(
    house: House, pipelines_dir: Path
) -> None:
    house.add()
    house.upstream.push(
        {
            "extract/main.py": "print()\n",
            "load/main.py": "print()\n",
            "load/pipeline.toml": 'after = ["extract"]\n',
        }
    )
    first = await house.sync()
    assert first.state == "activated"
    house.upstream.push({"extract/pipeline.toml": 'after = ["load"]\n'}, "A circle")
    refused = await house.sync()
    assert refused.state == "refused" and "extract -> load -> extract" in refused.why
    assert refused.code == "sync_refused" and set(refused.fields) == {"extract/pipeline.toml:1", "load/pipeline.toml:1"}
    assert refused.plan is not None
    assert {one["file"]: one["line"] for one in refused.plan["blockers"]} == {
        "extract/pipeline.toml": 1,
        "load/pipeline.toml": 1,
    }
    assert "after goes in a circle" in change_of(refused.plan, "extract")["faults"][0]["message"]
    assert change_of(refused.plan, "extract")["settings"] == [{"setting": "after", "before": None, "after": ["load"]}]
    # what goes while something elsewhere runs after it
    (pipelines_dir / "mine").mkdir()
    (pipelines_dir / "mine" / "main.py").write_text("print()\n")
    (pipelines_dir / "mine" / "pipeline.toml").write_text('after = ["extract"]\n')
    house.upstream.push({"extract": None, "load/pipeline.toml": None}, "Away")
    refused = await house.sync()
    assert refused.state == "refused" and refused.plan is not None
    removal, lost = refused.plan["blockers"]
    assert removal["message"] == "The pipeline extract goes, and mine runs after it."
    assert "Take it out of the after of mine, or force it" in removal["hint"]
    assert (lost["file"], lost["message"]) == (
        "mine/pipeline.toml",
        "after names 'extract', which is no pipeline.",
    )
    assert change_of(refused.plan, "extract")["followers_left"] == ["mine"]
    assert house.active() == first.commit
    assert (await house.sync(force=True)).state == "activated"
    # what is wrong already keeps nothing from being mended
    house.upstream.push({"load/pipeline.toml": 'after = ["mien"]\n'}, "A slip")
    refused = await house.sync()
    assert refused.state == "refused" and "Did you mean 'mine'?" in refused.why
    assert (await house.sync(force=True)).state == "activated"
    house.upstream.push({"load/pipeline.toml": 'after = ["mein"]\n'}, "Another slip")
    later = await house.sync()
    assert later.state == "activated" and later.plan is not None
    assert "it was not right before either" in later.plan["warnings"][0]


async def test_sync_when_a_pipeline_with_a_waiting_run_goes_then_it_is_refused_and_forcing_stops_the_run(
    house: House,
) -> None:
    house.add()
    house.upstream.push({"other.py": "print()\n", "hello.py": "print()\n"})
    first = await house.sync()
    run = house.submit("hello")
    house.upstream.push({"hello.py": None}, "Away")
    refused = await house.sync()
    assert refused.state == "refused" and "1 of its runs waits or runs" in refused.why
    assert refused.plan is not None and change_of(refused.plan, "hello")["active_runs"] == [run.id]
    assert house.active() == first.commit
    forced = await house.sync(force=True)
    assert forced.state == "activated"
    after = house.product.runs.get(run.id, actor=ADMIN)
    assert (after.status, after.reason) == ("FAILED", "cancelled")
    assert any(run.id in event.data.get("text", "") for event in house.events(forced))
    with pytest.raises(PipelineNotFound):
        house.submit("hello")


async def test_sync_when_a_removal_is_forced_then_what_waits_in_flows_ends_and_so_do_the_flows(house: House) -> None:
    house.add()
    second = {"second/main.py": "print()\n", "second/pipeline.toml": 'after = ["first"]\n'}
    house.upstream.push({"first.py": "print()\n", **second})
    assert (await house.sync()).state == "activated"
    flow = house.product.flows.flows.start(["first"], actor=OPERATOR)
    first = flow.run_ids["first"]
    house.upstream.push(dict.fromkeys(second), "Away")
    planned = await house.sync(plan_only=True)
    assert planned.plan is not None
    assert any(flow.flow.id in warning for warning in planned.plan["warnings"])
    forced = await house.sync(force=True)
    assert forced.state == "activated"
    told = [event.data.get("text", "") for event in house.events(forced)]
    assert f"What waited of the step second of the flow {flow.flow.id} is ended." in told
    view = house.product.flows.flows.get(flow.flow.id, actor=ADMIN)
    step = next(each for each in view.steps if each.name == "second")
    assert (step.state.value, step.why) == ("FAILED", f"its pipeline went with the sync {forced.id}")
    assert view.flow.status.value == "RUNNING"  # its first step goes on
    house.product.runs.cancel(first, actor=ADMIN)
    ended = house.product.flows.flows.get(flow.flow.id, actor=ADMIN)
    assert ended.flow.status.value == "FAILED"


@SQLITE
async def test_sync_when_a_run_is_submitted_after_the_plan_then_the_activation_sees_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.add()
    house.upstream.push({"other.py": "print()\n", "hello.py": "print()\n"})
    first = await house.sync()
    house.upstream.push({"hello.py": None}, "Away")
    switch = house.product.sync.switcher.switch

    def late(*args: Any, **kwargs: Any) -> None:
        house.submit("hello")
        switch(*args, **kwargs)

    monkeypatch.setattr(house.product.sync.switcher, "switch", late)
    refused = await house.sync()
    assert refused.state == "refused" and "submitted meanwhile" in refused.why
    assert house.active() == first.commit


async def test_sync_when_a_scheduled_pipeline_goes_then_declared_schedules_go_and_those_of_people_block(
    house: House,
) -> None:
    house.add()
    house.upstream.push({"s/main.py": "print()\n", "s/pipeline.toml": NIGHTLY.format("0 2 * * *")})
    await house.sync()
    house.product.schedules.declared.keep_in_step()
    house.product.webhooks.create(WebhookDefinition(pipeline_name="s", name="hook"), None, actor=ADMIN)
    rule = RuleDefinition(pipeline_name="s", name="tell", events=("failure",), channels=("ops",))
    SqlRuleStore(house.product.database).add(make_rule(rule, "user", ADMIN, house.product.clock.now()), actor=ADMIN)
    house.upstream.push({"s": None})
    planned = await house.sync(plan_only=True)
    assert planned.plan is not None and planned.plan["blockers"] == []
    assert planned.plan["warnings"] == [
        "The webhook hook of s would start nothing any more.",
        "The alert rule tell of s would watch nothing any more.",
    ]
    assert [(one["change"], one["name"]) for one in planned.plan["schedules"]] == [("removed", "nightly")]
    definition = ScheduleDefinition(pipeline_name="s", name="mine", trigger="interval", expression="1h")
    house.product.schedules.schedules.create(definition, actor=OPERATOR)
    refused = await house.sync()
    assert refused.state == "refused" and "schedules that people made: mine" in refused.why
    forced = await house.sync(force=True)
    assert forced.state == "activated"
    assert [one.name for one in house.product.schedules.declared.present(["s"])] == ["mine"]
    assert any("s/nightly went" in event.data.get("text", "") for event in house.events(forced))


@SQLITE
async def test_schedule_when_its_parameters_do_not_fit_any_more_then_the_plan_warns(house: House) -> None:
    house.add()
    await house.sync()
    definition = ScheduleDefinition(
        pipeline_name="hello", name="mine", trigger="interval", expression="1h", params={"N": "x"}
    )
    house.product.schedules.schedules.create(definition, actor=OPERATOR)
    settings = '[params.properties.N]\ntype = "integer"\n'
    house.upstream.push({"hello.py": None, "hello/main.py": "print()\n", "hello/pipeline.toml": settings})
    planned = await house.sync(plan_only=True)
    assert planned.plan is not None
    assert "hello/mine could start nothing any more" in planned.plan["warnings"][0]


async def test_rollback_when_asked_then_the_version_before_is_active_and_the_bad_one_is_held(house: House) -> None:
    house.add(interval=60.0)
    first = await house.sync()
    bad = house.upstream.push({"hello.py": "print('two')\n", "more.py": "print()\n"}, "Bad")
    await house.sync()
    back = house.rollback(reason="wrong totals")
    assert (back.action, back.state, back.commit, back.commit_before) == ("rollback", "activated", first.commit, bad)
    assert (back.why, back.reason) == ("Back to it: Changed hello; removed more.", "wrong totals")
    assert house.names() == ["hello"] and house.submit("hello").commit == first.commit
    # neither the interval nor a webhook brings it back, a person does, and a newer commit is no longer held
    syncer = house.product.sync.make_syncer()
    repository = house.product.sync.repositories.get("flows", actor=ADMIN)
    assert repository.held_commit == bad
    assert syncer.check(repository) is False
    taken_back = house.product.sync.syncs.request_by_webhook(repository, "ada", None)  # before it could be fetched
    await syncer.work_off(taken_back.id)
    ended = house.get(taken_back)
    assert ended.state == "unchanged" and "was rolled back from" in ended.why and house.active() == first.commit
    pushed = house.upstream.push({"hello.py": "print('three')\n"}, "Mended")
    assert syncer.check(repository) is True
    (waiting,) = [one for one in house.product.sync.syncs.list(actor=ADMIN).items if one.state == "queued"]
    await syncer.work_off(waiting.id)
    assert house.active() == pushed
    assert house.product.sync.repositories.get("flows", actor=ADMIN).held_commit is None


@SQLITE
async def test_rollback_when_it_cannot_be_then_the_problem_says_why(house: House) -> None:
    house.add()
    with pytest.raises(VersionNotFound, match="no earlier version"):
        house.rollback()
    first = await house.sync()
    assert first.commit is not None
    with pytest.raises(SyncRefused, match="active version of flows already"):
        house.rollback(first.commit)
    with pytest.raises(VersionNotFound, match="never been at a commit abcdef"):
        house.rollback("abcdef")
    with pytest.raises(InvalidInput, match="is not a commit"):
        house.rollback("main")
    house.upstream.push({"hello.py": None, "other.py": "print()\n"})
    await house.sync()
    run = house.submit("other")
    with pytest.raises(SyncRefused, match="other goes, and 1 of its runs"):
        house.rollback()
    house.rollback(force=True)
    assert house.product.runs.get(run.id, actor=ADMIN).reason == "cancelled"
    house.add("second")
    with pytest.raises(InvalidInput, match="not clear which repository"):
        house.rollback()


@SQLITE
async def test_rollback_when_many_pipelines_differ_then_their_files_alone_are_compared(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.add()
    house.upstream.push({"s/main.py": "print()\n", "s/pipeline.toml": NIGHTLY.format("0 2 * * *")})
    first = await house.sync()
    house.product.schedules.declared.keep_in_step()
    house.upstream.push({"hello.py": None, "s/main.py": "print(2)\n", "new.py": "print()\n"})
    await house.sync()
    monkeypatch.setattr("fastflow.kernel.sync.service.syncs._READ_AT_MOST", 2)
    run = house.submit("new")
    with pytest.raises(SyncRefused, match="new goes, and 1 of its runs"):
        house.rollback()
    house.product.runs.cancel(run.id, actor=OPERATOR)
    back = house.rollback()
    assert (back.state, back.commit) == ("activated", first.commit) and back.plan is not None
    assert {one["name"]: one["change"] for one in back.plan["pipelines"]} == {
        "hello": "added",
        "new": "removed",
        "s": "changed",
    }
    assert "3 pipelines differ: their files were compared" in back.plan["warnings"][0]
    assert house.names() == ["hello", "s"]


@SQLITE
async def test_rollback_when_there_are_many_pipelines_then_it_says_that_what_runs_after_what_was_left_out(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.add()
    await house.sync()
    house.upstream.push({"load/main.py": "print()\n", "load/pipeline.toml": 'after = ["hello"]\n'})
    await house.sync()
    monkeypatch.setattr("fastflow.kernel.sync.service.planning._MOST_TOGETHER", 0)
    back = house.rollback()
    assert back.plan is not None and "whether what runs after what" in back.plan["warnings"][0]
    # as a sync it is looked at, however many there are
    house.upstream.push({"hello.py": None})
    refused = await house.sync()
    assert refused.state == "refused" and "after names 'hello'" in refused.why


@SQLITE
async def test_rollback_when_the_copy_was_removed_then_it_is_made_again_from_what_was_fetched(house: House) -> None:
    house.add()
    first = await house.sync()
    house.upstream.push({"hello.py": "print('two')\n"})
    await house.sync()
    assert first.tree_hash is not None
    copy = house.product.pipelines.thaw(first.tree_hash)
    copy.rename(copy.with_name(f".unfinished-{'0' * 8}"))
    house.upstream.bare.rename(house.upstream.bare.with_name("away"))
    house.rollback()
    assert (house.product.pipelines.freeze("hello").code_dir / "hello.py").read_text() == "print('one')\n"


async def test_copies_when_collected_then_versions_that_may_come_back_stay(house: House, data_dir: Path) -> None:
    house.add()
    first = await house.sync()
    house.upstream.push({"hello.py": "print('two')\n"})
    second = await house.sync()
    for copy in os.listdir(data_dir / "code"):
        os.utime(data_dir / "code" / copy, (0, 0))
    removed = house.product.pipelines.collect_snapshots(lambda _hashes: (), 10.0)
    assert not {first.tree_hash, second.tree_hash} & set(removed)
    house.rollback()


@SQLITE
async def test_repositories_when_several_then_each_has_its_prefix_and_subfolder_and_names_may_clash(
    house: House, pipelines_dir: Path
) -> None:
    house.upstream.push({"flows/deep/job/main.py": "print('deep')\n", "flows/deep/job/requirements.txt": "zz(\n"})
    house.add("team", prefix="team-", subfolder="flows/deep")
    refused = await house.sync("team")
    assert refused.state == "refused" and "flows/deep/job/requirements.txt:1" in refused.why
    house.upstream.push({"flows/deep/job/requirements.txt": None})
    await house.sync("team")
    house.add("top")
    await house.sync("top")
    assert house.names() == ["hello", "team-job"]
    assert house.product.pipelines.freeze("team-job").pipeline.repository == "team"
    # a pipeline of PIPELINES_DIR, and one of another repository, under a name that is taken
    (pipelines_dir / "local.py").write_text("print('mine')\n")
    house.upstream.push({"local.py": "print('theirs')\n"})
    refused = await house.sync("top")
    assert refused.state == "refused"
    assert "local.py of PIPELINES_DIR and local.py of the repository top both are the pipeline 'local'" in refused.why
    house.add("twin")
    refused = await house.sync("twin")
    assert refused.state == "refused" and "hello.py of the repository twin" in refused.why
    assert house.names() == ["hello", "local", "team-job"]
    # somebody puts a file in the way of what is active: a fault, and nothing is run by mistake
    (pipelines_dir / "hello.py").write_text("print('mine')\n")
    with pytest.raises(PipelineBroken, match="both are the pipeline"):
        house.submit("hello")
    assert house.submit("local").commit is None


@SQLITE
async def test_folder_when_it_is_named_on_the_command_line_then_it_is_its_own_catalogue(
    house: House,
) -> None:
    house.add()
    await house.sync()
    settings = house.product.settings
    assert is_synced_pipeline("hello", settings)
    assert not is_synced_pipeline("other", settings)
    # somebody's clone of what is synced
    clone = settings.model_copy(update={"pipelines_dir": house.upstream.work})
    product = build_product(clone, with_repositories=False)
    try:
        assert [(one.name, one.repository, one.is_healthy) for one in product.pipelines.list()] == [
            ("hello", None, True)
        ]
        removed = product.pipelines.collect_snapshots(lambda _hashes: (), 0.0)
        assert removed == [], "what is active stays"
    finally:
        product.close()


@SQLITE
async def test_pipelines_dir_when_it_was_never_made_then_repositories_suffice(
    house: House, pipelines_dir: Path
) -> None:
    pipelines_dir.rmdir()  # noqa: ASYNC240 - one system call
    house.add()
    assert (await house.sync()).state == "activated"
    assert house.names() == ["hello"]


@SQLITE
async def test_repository_when_removed_then_its_pipelines_go_unless_they_are_used(house: House) -> None:
    house.add()
    await house.sync()
    run = house.submit("hello")
    delete = house.product.sync.repositories.delete
    with pytest.raises(SyncRefused, match="hello goes"):
        delete("flows", actor=ADMIN)
    assert house.names() == ["hello"]
    delete("flows", actor=ADMIN, force=True)
    assert house.names() == []
    assert house.product.runs.get(run.id, actor=ADMIN).reason == "cancelled"
    assert [one.action for one in house.product.sync.syncs.list(actor=ADMIN).items] == ["remove", "sync"]


@SQLITE
async def test_repository_when_its_prefix_changes_then_the_next_sync_renames_although_the_commit_is_the_same(
    house: House,
) -> None:
    house.add()
    await house.sync()
    house.product.sync.repositories.change("flows", {"prefix": "x-"}, actor=ADMIN)
    assert house.names() == ["hello"]
    done = await house.sync()
    assert (done.state, done.why) == ("activated", "Added x-hello; removed hello.")
    house.rollback(done.commit)
    assert house.names() == ["hello"]


async def test_sync_when_a_worker_dies_then_another_one_takes_over(
    house: House, build: Callable[..., House], tmp_path: Path
) -> None:
    house.add()
    (asked,) = house.product.sync.syncs.request("flows", actor=OPERATOR)
    claimed = house.product.sync.work.claim()
    assert claimed is not None and claimed.state == "running"
    (tmp_path / "second").mkdir()
    other = build(tmp_path / "second")
    assert other.product.sync.work.claim() is None
    with house.product.database.write() as connection:
        later = claimed.requested_at - timedelta(seconds=1)
        connection.execute(update(SYNC).values(lease_expires_at=later))
    taken = other.product.sync.work.claim()
    assert taken is not None and taken.id == asked.id
    await asyncio.gather(other.product.sync.work.carry_out(taken), house.product.sync.work.carry_out(claimed))
    assert house.get(asked).state == "activated"
    assert sum(event.kind == "end" for event in house.events(asked)) == 1


@SQLITE
async def test_sync_when_the_process_begins_anew_then_its_own_leases_hold_nothing_up(
    house: House, build: Callable[..., House]
) -> None:
    house.add()
    (asked,) = house.product.sync.syncs.request("flows", actor=OPERATOR)
    assert house.product.sync.work.claim() is not None
    again = build()
    await again.product.sync.make_syncer().work_off(asked.id)
    assert again.get(asked).state == "activated"


async def test_activation_when_on_another_server_then_this_one_runs_the_new_version_at_once(
    request: pytest.FixtureRequest, house: House, build: Callable[..., House], tmp_path: Path
) -> None:
    if request.getfixturevalue("database_kind") == "sqlite":
        (tmp_path / "second").mkdir()
        other = build()  # another process of the same server
    else:
        (tmp_path / "second").mkdir()
        other = build(tmp_path / "second")  # another server: the code comes through the database
    house.add()
    await house.sync()
    assert other.names() == ["hello"]
    pushed = house.upstream.push({"hello.py": "print('two')\n"})
    await house.sync()
    frozen = other.product.pipelines.freeze("hello")
    assert frozen.commit == pushed and (frozen.code_dir / "hello.py").read_text() == "print('two')\n"
    back = other.rollback()
    assert house.product.pipelines.freeze("hello").commit == back.commit


@SQLITE
async def test_requests_when_the_same_is_waiting_then_they_are_one_and_rights_are_asked_for(house: House) -> None:
    house.add()
    request = house.product.sync.syncs.request
    (first,), (second,) = request("flows", actor=OPERATOR), request(None, actor=OPERATOR)
    assert first.id == second.id
    (plan,) = request("flows", actor=OPERATOR, plan_only=True)
    assert plan.id != first.id
    with pytest.raises(Forbidden):
        request("flows", actor=Actor(name="user:vera", role=Role.VIEWER))
    with pytest.raises(Forbidden, match="limited to some pipelines"):
        request("flows", actor=replace(OPERATOR, pipelines=("hello",)))


@SQLITE
async def test_plan_when_seen_by_somebody_limited_then_only_their_pipelines_are_in_it(house: House) -> None:
    house.add()
    house.upstream.push({"other.py": "print(\n"})
    refused = await house.sync()
    limited = replace(OPERATOR, pipelines=("hello",))
    seen = house.product.sync.syncs.get(refused.id, actor=limited)
    assert seen.plan is not None
    assert [one["name"] for one in seen.plan["pipelines"]] == ["hello"] and seen.plan["blockers"] == []
    assert "other" not in seen.why
    told = [event async for events in house.product.sync.syncs.follow(refused.id, 0, actor=limited) for event in events]
    assert all(event.data.get("pipeline") in (None, "hello") for event in told)


async def test_interval_when_due_then_one_server_looks_and_only_news_make_a_sync(
    house: House, build: Callable[..., House], tmp_path: Path
) -> None:
    (tmp_path / "second").mkdir()
    other = build(tmp_path / "second")
    house.add(interval=60.0)
    now = house.product.clock.now()
    store = house.product.sync.repository_store
    assert [one.name for one in store.take_due(now, None, limit=10)] == ["flows"]
    assert list(other.product.sync.repository_store.take_due(now, None, limit=10)) == []
    assert list(store.take_due(now + timedelta(seconds=30), None, limit=10)) == []
    (again,) = store.take_due(now + timedelta(seconds=61), None, limit=10)
    syncer = house.product.sync.make_syncer()
    assert syncer.check(again) is True
    (asked,) = house.product.sync.syncs.list(actor=ADMIN).items
    assert (asked.trigger, asked.requested_by) == ("interval", "system")
    await syncer.work_off(asked.id)
    assert syncer.check(again) is False
    assert len(house.product.sync.syncs.list(actor=ADMIN).items) == 1
    # a commit that was refused is not tried over and over
    house.upstream.push({"hello.py": "print(\n"})
    assert syncer.check(again) is True
    (asked, _) = house.product.sync.syncs.list(actor=ADMIN).items
    await syncer.work_off(asked.id)
    assert house.get(asked).state == "refused"
    assert syncer.check(again) is False


@SQLITE
async def test_interval_when_it_is_the_installations_then_repositories_without_one_follow_it(
    build: Callable[..., House],
) -> None:
    house = build(auto_sync_interval=300.0)
    house.add()
    house.add("never", interval=0.0)
    now, store = house.product.clock.now(), house.product.sync.repository_store
    assert [one.name for one in store.take_due(now, 300.0, limit=10)] == ["flows"]
    assert list(store.take_due(now, 300.0, limit=10)) == []
    assert [one.name for one in store.take_due(now, 60.0, limit=10)] == ["flows"], "a shorter interval counts at once"
    assert list(store.take_due(now + timedelta(days=1), None, limit=10)) == [], "it was switched off"


@SQLITE
async def test_syncer_when_it_runs_then_it_works_off_what_is_asked_and_follows_the_branch(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    syncs = house.product.sync.syncs
    syncer = house.product.sync.make_syncer()
    house.add(interval=3600.0)  # due at once
    carry_out, carried = house.product.sync.work.carry_out, asyncio.Event()

    async def carry_out_and_tell(sync: Sync) -> None:
        await carry_out(sync)
        carried.set()

    monkeypatch.setattr(house.product.sync.work, "carry_out", carry_out_and_tell)
    running = asyncio.create_task(syncer.run())
    try:
        async with asyncio.timeout(60):
            await carried.wait()
            assert house.active() is not None
            house.upstream.push({"hello.py": "print('two')\n"})
            (asked,) = await asyncio.to_thread(lambda: syncs.request("flows", actor=OPERATOR))
            syncer.notify("sync")
            (ended,) = await syncs.wait([asked.id], 60, actor=OPERATOR)
        assert ended.state == "activated"
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@SQLITE
async def test_syncer_when_a_crash_left_something_to_settle_then_it_is_done(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.add()
    house.upstream.push({"hello.py": "print()\n", "other.py": "print()\n"})
    await house.sync()
    run = house.submit("hello")
    house.upstream.push({"hello.py": None})
    with monkeypatch.context() as patch:
        patch.setattr(house.product.sync.switcher, "settle", lambda _sync, _removed: None)
        assert (await house.sync(force=True)).state == "activated"
    assert house.product.runs.get(run.id, actor=ADMIN).reason is None
    house.product.sync.switcher.settle_left()
    assert house.product.runs.get(run.id, actor=ADMIN).reason == "cancelled"
    assert house.product.sync.store.load_unsettled() == []


@SQLITE
async def test_sync_when_another_version_becomes_active_meanwhile_then_it_is_not_carried_out(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.add()
    first = await house.sync()
    house.upstream.push({"hello.py": "print('two')\n"})
    second = await house.sync()
    house.upstream.push({"hello.py": "print('three')\n"})
    switch = house.product.sync.switcher.switch

    def overtaken(sync: Any, plan: Plan, **kwargs: Any) -> None:
        if sync.action == "sync":
            house.rollback(first.commit)
        switch(sync, plan, **kwargs)

    monkeypatch.setattr(house.product.sync.switcher, "switch", overtaken)
    lost = await house.sync()
    assert lost.state == "failed" and "made active while the plan was made" in lost.why
    assert house.active() == first.commit != second.commit


@SQLITE
async def test_sync_when_cancelled_then_git_ends_and_the_sync_is_left_to_others(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.add()
    begun, stopped = threading.Event(), threading.Event()
    work: Any = house.product.sync.work

    def fetch(repository: Any, credentials: Any, stop: threading.Event) -> Any:
        begun.set()
        stop.wait(30)
        stopped.set()
        raise AssertionError("nobody waits for it")

    monkeypatch.setattr(work._remote, "fetch", fetch)
    (asked,) = house.product.sync.syncs.request("flows", actor=OPERATOR)
    task = asyncio.create_task(house.product.sync.make_syncer().work_off(asked.id))
    await asyncio.to_thread(begun.wait, 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(stopped.wait, 30)
    assert house.get(asked).state == "running"
