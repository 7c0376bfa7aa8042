"""What can be done with failures."""

from fastflow.kernel.failures.service.groups import FailureService
from fastflow.kernel.failures.service.letters import LetterService
from fastflow.kernel.failures.service.sorting import FailureSorter

__all__ = ["FailureService", "FailureSorter", "LetterService"]
