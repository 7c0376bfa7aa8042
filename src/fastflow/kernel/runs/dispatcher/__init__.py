"""The runner's heart: takes runs out of the queue and sees each through to its one end.

Everything here is asyncio; the database is reached through one writer thread, the processes through the executor port.
"""

from fastflow.kernel.runs.dispatcher.dispatcher import Dispatcher, DispatcherParts
from fastflow.kernel.runs.dispatcher.single import SingleRun

__all__ = ["Dispatcher", "DispatcherParts", "SingleRun"]
