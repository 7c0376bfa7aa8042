"""What can be done with channels, rules and alerts, and the work behind them."""

from fastflow.kernel.notifications.service.alerts import AlertService
from fastflow.kernel.notifications.service.channels import ChannelService
from fastflow.kernel.notifications.service.declared import DeclaredRules
from fastflow.kernel.notifications.service.delivering import Deliverer
from fastflow.kernel.notifications.service.notifier import Notifier, NotifierRules
from fastflow.kernel.notifications.service.rules import RuleService
from fastflow.kernel.notifications.service.watching import LOW_DISK_BYTES, Watcher

__all__ = [
    "LOW_DISK_BYTES",
    "AlertService",
    "ChannelService",
    "DeclaredRules",
    "Deliverer",
    "Notifier",
    "NotifierRules",
    "RuleService",
    "Watcher",
]
