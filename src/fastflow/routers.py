"""The routers of the rooms, and which of them answers at a path.

A server has all of them; the command line in-process makes only the one that it asks, as making a router's routes costs
more than most answers.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fastapi import APIRouter

from fastflow.bootstrap import Product


@dataclass(frozen=True)
class Part:
    """A router that can be made alone.

    Attributes:
        paths: matches the beginning of every path at which it answers, and of none at which another one does.
        make: makes it; imports the room.
        waits: some of its answers wait for messages of the runner.
    """

    paths: re.Pattern[str]
    make: Callable[[Product], APIRouter]
    waits: bool = False


def _pipelines(product: Product) -> APIRouter:
    from fastflow.kernel.pipelines.router import build_router

    return build_router(product.pipelines, product.environments, is_elsewhere=product.is_made_elsewhere)


def _runs(product: Product) -> APIRouter:
    from fastflow.kernel.runs.router import build_router

    return build_router(product.runs)


def _logs(product: Product) -> APIRouter:
    from fastflow.kernel.runs.log_router import build_log_router

    return build_log_router(product.logs)


def _environments(product: Product) -> APIRouter:
    from fastflow.kernel.environments.router import build_router

    days = product.settings.environment_retention_days
    return build_router(product.environments, in_use=product.environments_in_use, retention_days=days)


def _daemons(product: Product) -> APIRouter:
    from fastflow.kernel.daemons.router import build_router

    return build_router(product.daemons.daemons)


def _failures(product: Product) -> APIRouter:
    from fastflow.kernel.failures.router import build_router

    return build_router(product.failures.failures, product.failures.letters)


def _notifications(product: Product) -> APIRouter:
    from fastflow.kernel.notifications.router import build_router

    room = product.notifications
    return build_router(room.channels, room.rules, room.alerts)


def _webhooks(product: Product) -> APIRouter:
    from fastflow.kernel.webhooks.router import build_router

    return build_router(product.webhooks)


def _schedules(product: Product) -> APIRouter:
    from fastflow.kernel.schedules.router import build_router

    room = product.schedules
    return build_router(room.schedules, room.pauses, room.simulations)


def _flows(product: Product) -> APIRouter:
    from fastflow.kernel.flows.router import build_router

    return build_router(product.flows.flows, product.flows.backfills, product.clock)


def _sync(product: Product) -> APIRouter:
    from fastflow.kernel.sync.router import build_router

    return build_router(product.sync.repositories, product.sync.syncs, product.sync.webhooks)


def _secrets(product: Product) -> APIRouter:
    from fastflow.kernel.secrets.router import build_router

    return build_router(product.secrets)


def _users(product: Product) -> APIRouter:
    from fastflow.kernel.users.router import build_router

    url = product.settings.public_url
    return build_router(
        product.users, product.logins, product.tokens, product.federated, public_url=url, logged_out="/ui/login"
    )


def _audit(product: Product) -> APIRouter:
    from fastflow.kernel.audit.router import build_router

    return build_router(product.audit)


def _churn(product: Product) -> APIRouter:
    from fastflow.apps.churn.router import build_router

    room = product.churn
    return build_router(
        database=room.database,
        experiments=room.experiments,
        bundles=room.bundles,
        materializing=room.materializing,
        files=room.files,
        late=room.late,
        reports=room.reports,
        runs=room.runs,
        chains=room.chains,
        demo=room.demo,
        ledgers=room.ledgers,
        sql=room.sql,
    )


_PARTS = (
    Part(re.compile(r"/pipelines(?!/[^/]+/run$)"), _pipelines),
    Part(re.compile(r"/pipelines/[^/]+/run$|/runs(?!/[^/]+/(why|logs|artifacts)\b)"), _runs, waits=True),
    Part(re.compile(r"/runs/[^/]+/(logs|artifacts)\b|/logs/"), _logs, waits=True),
    Part(re.compile(r"/environments"), _environments),
    Part(re.compile(r"/daemons"), _daemons),
    Part(re.compile(r"/failures|/dead-letters|/runs/[^/]+/why$"), _failures),
    Part(re.compile(r"/channels|/alerts|/notifications"), _notifications),
    Part(re.compile(r"/webhooks"), _webhooks),
    Part(re.compile(r"/scheduler"), _schedules),
    Part(re.compile(r"/flows|/backfills"), _flows),
    Part(re.compile(r"/sync"), _sync, waits=True),
    Part(re.compile(r"/secrets"), _secrets),
    Part(re.compile(r"/auth|/users|/tokens"), _users),
    Part(re.compile(r"/audit"), _audit),
    Part(re.compile(r"/churn/|/outbox/|/experiments|/files$|/sql/|/run/|/jobs"), _churn),
)


def find_part(path: str) -> Part | None:
    """The part that answers at the path; None: none of them, so that the whole app has to say what there is."""
    return next((part for part in _PARTS if part.paths.match(path)), None)


def make_routers(product: Product) -> Sequence[APIRouter]:
    """All of them, in the order of the API's description."""
    return [part.make(product) for part in _PARTS]
