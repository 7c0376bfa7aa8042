"""How a daemon and its instances look."""

from collections.abc import Mapping

from fastflow.kernel.daemons.domain.records import Health, Instance, State
from fastflow.kernel.daemons.service import DaemonView
from fastflow.ui.hints import as_told
from fastflow.ui.icons import icon
from fastflow.ui.markup import Html, div, span, tag
from fastflow.ui.parts import pill, when
from fastflow.ui.texts import Data, Texts

_STATES: Mapping[State, str] = {
    "running": "good",
    "starting": "runs",
    "replacing": "runs",
    "backing-off": "waits",
    "crash-loop": "bad",
    "stopping": "waits",
    "stopped": "still",
    "paused": "still",
}
_HEALTH: Mapping[Health, str] = {"starting": "runs", "healthy": "good", "unhealthy": "bad"}


def state(t: Texts, view: DaemonView) -> Html:
    """How it stands."""
    return pill(_STATES[view.state], t(f"daemons.state_{view.state.replace('-', '_')}"))


def health(t: Texts, instance: Instance) -> Html:
    """Whether an instance is well, or on its way out."""
    if instance.stopping is not None:
        return pill("waits", t("daemons.is_stopping"))
    if instance.run is None:
        return pill("waits", t("daemons.is_submitted"))
    return pill(_HEALTH[instance.health], t(f"daemons.health_{instance.health}"))


def living(view: DaemonView) -> int:
    """How many of its instances are well."""
    return sum(each.health == "healthy" and not each.has_ended for each in view.instances)


def trouble(t: Texts, view: DaemonView) -> Html:
    """What is wrong with it, and when it is tried again."""
    again = view.daemon.next_start_at if view.state in ("backing-off", "crash-loop") else None
    if view.trouble is None and again is None:
        return Html("")
    kind = "bad" if view.state == "crash-loop" or view.daemon.trouble is not None else "waits"
    told = tag("p", as_told(t, view.trouble)) if view.trouble else None
    next_start = tag("p", t("daemons.next_start"), Data(" "), when(again)) if again else None
    return div(icon("alert"), div(told, next_start), cls=f"note {kind}", role="status")


def instances_told(t: Texts, view: DaemonView) -> Html:
    """How many of the wanted instances are well."""
    wanted = view.spec.instances if view.spec else 0
    return span(t("daemons.healthy_of", n=living(view), wanted=wanted), cls="number")
