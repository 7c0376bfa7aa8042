"""What can be done with runs."""

from fastflow.kernel.runs.domain.comparing import RunDiff
from fastflow.kernel.runs.service.policy import RunPolicy
from fastflow.kernel.runs.service.runs import RunService

__all__ = ["RunDiff", "RunPolicy", "RunService"]
