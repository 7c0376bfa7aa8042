"""Imports the tables of every room, so that `metadata` is complete for Alembic and for the models-equal-migrations test."""

from fastflow.kernel.audit.infra import tables as audit_tables
from fastflow.kernel.daemons.infra import tables as daemon_tables
from fastflow.kernel.environments.infra import tables as environment_tables
from fastflow.kernel.failures.infra import tables as failure_tables
from fastflow.kernel.flows.infra import tables as flow_tables
from fastflow.kernel.metrics.infra import tables as metric_tables
from fastflow.kernel.notifications.infra import tables as notification_tables
from fastflow.kernel.pipelines.infra import tables as pipeline_tables
from fastflow.kernel.runs.infra import tables as run_tables
from fastflow.kernel.schedules.infra import tables as schedule_tables
from fastflow.kernel.secrets.infra import tables as secret_tables
from fastflow.kernel.sync.infra import tables as sync_tables
from fastflow.kernel.tracing.infra import tables as trace_tables
from fastflow.kernel.users.infra import tables as user_tables
from fastflow.kernel.webhooks.infra import tables as webhook_tables

__all__ = [
    "audit_tables",
    "daemon_tables",
    "environment_tables",
    "failure_tables",
    "flow_tables",
    "metric_tables",
    "notification_tables",
    "pipeline_tables",
    "run_tables",
    "schedule_tables",
    "secret_tables",
    "sync_tables",
    "trace_tables",
    "user_tables",
    "webhook_tables",
]
