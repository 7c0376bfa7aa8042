"""What can be done with daemons."""

from fastflow.kernel.daemons.service.daemons import DaemonService, DaemonView
from fastflow.kernel.daemons.service.keeper import DaemonKeeper

__all__ = ["DaemonKeeper", "DaemonService", "DaemonView"]
