"""Runs under way of pipelines that are not there any more: somebody took the folder away, which asks nobody as a sync does."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from fastflow.cli.client import Api
from fastflow.findings import Finding
from fastflow.kit.words import counted

_LOOKED_AT = 500
_NAMED = 5


def count_there(api: Api) -> Mapping[str, int]:
    """Pipeline -> its runs under way, by the API; of very many runs, of the newest."""
    found: Counter[str] = Counter()
    for status in ("RUNNING", "PENDING"):
        found.update(run["pipeline_name"] for run in api.get("/runs", status=status, limit=_LOOKED_AT)["items"])
    return found


def notes_on_orphans(active: Mapping[str, int], known: Collection[str]) -> Sequence[str]:
    """One for each pipeline that is not there (any more) and has runs under way.

    >>> notes_on_orphans({"gone": 2, "here": 1}, {"here"})
    ["2 runs of 'gone' wait or run, and there is no such pipeline any more: they go on with the code they began with. Bring it back, or cancel them: `fastflow runs list --pipeline gone`"]
    """
    return [
        f"{counted(active[name], 'run')} of {name!r} {'waits or runs' if active[name] == 1 else 'wait or run'}, and there is no "
        "such pipeline any more: they go on with the code they began with. Bring it back, or cancel them: "
        f"`fastflow runs list --pipeline {name}`"
        for name in sorted(active.keys() - set(known))
    ]


def judge_orphans(active: Mapping[str, int], known: Collection[str]) -> Sequence[Finding]:
    """The same as a finding; none when every pipeline is there."""
    gone = sorted(active.keys() - set(known))
    if not gone:
        return ()
    named = ", ".join(gone[:_NAMED]) + (f" and {len(gone) - _NAMED} more" if len(gone) > _NAMED else "")
    text = f"{counted(sum(active[name] for name in gone), 'run')} under way of pipelines that are not there any more: {named}"
    remedy = "Bring the pipelines back, or cancel the runs; they go on with the code they began with."
    return (Finding(name="runs", level="warning", text=text, remedy=remedy),)
