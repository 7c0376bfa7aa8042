"""Which rooms judge what pipelines' settings declare for them; whoever reads settings hands this on."""

from collections.abc import Mapping, Sequence

from fastflow.kernel.daemons.domain.declared import judge_daemon
from fastflow.kernel.flows.domain.declared import judge_after
from fastflow.kernel.flows.domain.graph import afters_of, followers_of, judge_graph
from fastflow.kernel.notifications.domain.declared import judge_notify
from fastflow.kernel.pipelines.domain.neighbours import judge_neighbours
from fastflow.kernel.pipelines.domain.pipeline import Pipeline
from fastflow.kernel.schedules.domain.declared import judge_schedules

JUDGES = (judge_schedules, judge_after, judge_daemon, judge_notify)
GRAPH_JUDGES = (judge_graph, judge_neighbours)
"""Those that look at all pipelines together."""


def find_followers(pipelines: Sequence[Pipeline]) -> Mapping[str, Sequence[str]]:
    """Pipeline -> those that are to run after it."""
    return followers_of(afters_of(pipelines))
