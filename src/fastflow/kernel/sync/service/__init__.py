"""Use cases of syncing: repositories, syncs by hand, by interval and by webhook, plans, rollbacks."""

from fastflow.kernel.sync.service.planning import Planner
from fastflow.kernel.sync.service.repositories import RepositoryService
from fastflow.kernel.sync.service.switching import Switcher
from fastflow.kernel.sync.service.syncer import Syncer
from fastflow.kernel.sync.service.syncs import RepositoryStatus, SyncService
from fastflow.kernel.sync.service.webhooks import WebhookService
from fastflow.kernel.sync.service.working import SyncWork

__all__ = [
    "Planner",
    "RepositoryService",
    "RepositoryStatus",
    "Switcher",
    "SyncService",
    "SyncWork",
    "Syncer",
    "WebhookService",
]
