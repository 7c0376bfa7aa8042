"""Which rooms judge what pipelines' settings declare for them; whoever reads settings hands this on."""

from fastflow.kernel.notifications.domain.declared import judge_notify
from fastflow.kernel.schedules.domain.declared import judge_schedules

JUDGES = (judge_schedules, judge_notify)
