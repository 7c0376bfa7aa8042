"""What can be done with schedules, and what does the work at their due times."""

from fastflow.kernel.schedules.service.declared import DeclaredSchedules
from fastflow.kernel.schedules.service.pausing import PauseService
from fastflow.kernel.schedules.service.rules import SchedulerRules
from fastflow.kernel.schedules.service.scheduler import Scheduler
from fastflow.kernel.schedules.service.schedules import SchedulerStatus, ScheduleService
from fastflow.kernel.schedules.service.simulating import SimulationService

__all__ = [
    "DeclaredSchedules",
    "PauseService",
    "ScheduleService",
    "Scheduler",
    "SchedulerRules",
    "SchedulerStatus",
    "SimulationService",
]
