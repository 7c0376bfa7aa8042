"""Errors of the daemons room."""

from fastflow.kit.errors import NotFound


class DaemonNotFound(NotFound):
    """The pipeline is no daemon, or there is no such pipeline."""

    default_code = "daemon_not_found"
    default_hint = "A pipeline is a daemon when its pipeline.toml has a [daemon] table; `GET /daemons` lists them."
