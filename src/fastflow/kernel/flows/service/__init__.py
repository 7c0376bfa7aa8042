"""What can be done with flows."""

from fastflow.kernel.flows.service.backfills import BackfillPlan, BackfillService
from fastflow.kernel.flows.service.flows import FlowService
from fastflow.kernel.flows.service.keeper import FlowKeeper
from fastflow.kernel.flows.service.planning import Planner

__all__ = ["BackfillPlan", "BackfillService", "FlowKeeper", "FlowService", "Planner"]
