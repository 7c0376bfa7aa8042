"""Which rooms judge what pipelines' settings declare for them; whoever reads settings hands this on."""

from fastflow.kernel.flows.domain.declared import judge_after
from fastflow.kernel.flows.domain.graph import judge_graph
from fastflow.kernel.notifications.domain.declared import judge_notify
from fastflow.kernel.schedules.domain.declared import judge_schedules

JUDGES = (judge_schedules, judge_after, judge_notify)
GRAPH_JUDGES = (judge_graph,)
"""Those that look at all pipelines together."""
