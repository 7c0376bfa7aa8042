"""The rooms of the interface: each bound to the services of a product."""

from collections.abc import AsyncGenerator, Callable, Sequence
from typing import TYPE_CHECKING

from fastflow.bootstrap import Product
from fastflow.effective import EffectiveSettings
from fastflow.kernel.http.access import Authenticate
from fastflow.kit.identity import SYSTEM

if TYPE_CHECKING:
    from fastflow.ui.interface import Interface
    from fastflow.ui.manifest import Manifest


def make_interface(product: Product, authenticate: Authenticate, *, forget: Callable[[], None]) -> "Interface":
    """The interface over the product's services.

    Args:
        product: the services.
        authenticate: says who asks; the same as the API's.
        forget: makes it ask the database again, after credentials have changed.
    """
    from fastflow.ui.interface import Interface

    def listen() -> AsyncGenerator[bytes, None]:
        # pages look again as who they belong to; what is heard here only tells them when
        return product.logs.listen(SYSTEM, since=None)

    return Interface(
        make_manifests(product, forget),
        authenticate=authenticate,
        listen=listen,
        has_provider=product.federated is not None,
    )


def make_manifests(product: Product, forget: Callable[[], None]) -> "Sequence[Manifest]":
    """What every room brings, in no particular order."""
    from fastflow.apps.churn.pages.experiments.manifest import manifest as churn_experiments
    from fastflow.apps.churn.pages.files.manifest import manifest as churn_files
    from fastflow.apps.churn.pages.report.manifest import manifest as churn_reports
    from fastflow.apps.churn.pages.sql.manifest import manifest as churn_sql
    from fastflow.diagnosis import Diagnosis
    from fastflow.kernel.pipelines.service import WarmUp
    from fastflow.ui.rooms.alerts.manifest import manifest as alerts
    from fastflow.ui.rooms.audit.manifest import manifest as audit
    from fastflow.ui.rooms.daemons.manifest import manifest as daemons
    from fastflow.ui.rooms.doctor.manifest import manifest as doctor
    from fastflow.ui.rooms.flows.manifest import manifest as flows
    from fastflow.ui.rooms.letters.manifest import manifest as letters
    from fastflow.ui.rooms.overview.manifest import manifest as overview
    from fastflow.ui.rooms.pipelines.manifest import manifest as pipelines
    from fastflow.ui.rooms.runs.manifest import manifest as runs
    from fastflow.ui.rooms.schedules.manifest import manifest as schedules_room
    from fastflow.ui.rooms.secrets.manifest import manifest as secrets
    from fastflow.ui.rooms.settings.manifest import manifest as settings
    from fastflow.ui.rooms.sync.manifest import manifest as sync
    from fastflow.ui.rooms.users.manifest import manifest as users
    from fastflow.ui.rooms.webhooks.manifest import manifest as webhooks

    failures, schedules, planned = product.failures.failures, product.schedules.schedules, product.schedules
    told = product.notifications
    diagnosis = Diagnosis(product)
    # asked how far environments are, not told to build them
    warm_up = WarmUp(product.pipelines, product.environments, is_elsewhere=product.is_made_elsewhere)
    return [
        overview(
            product.runs,
            failures,
            schedules,
            product.pipelines,
            product.flows.flows,
            product.settings.data_dir,
            product.clock,
        ),
        pipelines(
            product.pipelines,
            warm_up.states,
            product.environments.card,
            product.runs,
            schedules,
            product.secrets,
            product.webhooks,
        ),
        runs(product.runs, product.logs, failures, product.failures.letters, product.flows.flows, product.clock),
        flows(product.flows.flows, product.flows.backfills, product.pipelines, product.clock),
        users(product.users, product.logins, product.tokens, product.clock, forget),
        audit(product.audit, product.clock),
        doctor(diagnosis.look_at_parts, diagnosis.examine, product.clock),
        settings(EffectiveSettings(product.settings).look),
        schedules_room(planned.schedules, planned.pauses, planned.simulations, product.pipelines, product.clock),
        secrets(product.secrets, product.pipelines, product.sync.repositories),
        sync(product.sync.syncs, product.sync.repositories),
        letters(product.failures.letters, failures, product.pipelines),
        webhooks(product.webhooks, product.pipelines),
        daemons(product.daemons.daemons, product.runs),
        churn_experiments(
            product.churn.experiments,
            product.churn.bundles,
            product.churn.materializing,
            product.churn.runs,
            product.churn.chains,
            product.churn.late,
            product.churn.demo,
        ),
        churn_files(product.churn.files),
        churn_reports(product.churn.reports),
        churn_sql(product.churn.sql),
        alerts(told.alerts, told.rules, told.channels, product.pipelines),
    ]
