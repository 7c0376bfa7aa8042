"""How a sync, a commit and a repository look."""

from fastflow.kernel.sync.domain.sync import Sync, SyncState
from fastflow.kernel.sync.service import RepositoryStatus
from fastflow.ui.markup import Html, tag
from fastflow.ui.parts import pill
from fastflow.ui.texts import Data, Texts

_KINDS = {
    SyncState.QUEUED: "waits",
    SyncState.RUNNING: "runs",
    SyncState.PLANNED: "still",
    SyncState.UNCHANGED: "still",
    SyncState.ACTIVATED: "good",
    SyncState.REFUSED: "bad",
    SyncState.FAILED: "bad",
}
_SHORT = 10


def state(t: Texts, sync: Sync) -> Html:
    """Where a sync stands, or how it ended."""
    return pill(_KINDS[sync.state], t(f"sync.state_{sync.state}"))


def commit(text: str | None) -> Html | None:
    """The beginning of a commit."""
    return tag("code", Data(text[:_SHORT]), title=text) if text else None


def standing(t: Texts, status: RepositoryStatus) -> Html:
    """How a repository stands."""
    repository, active, sync = status.repository, status.active, status.sync
    if sync is not None and not sync.state.has_ended:
        return state(t, sync)
    if repository.problem is not None:
        return pill("bad", t("sync.is_unreachable"))
    if active is None:
        return pill("still", t("sync.is_empty"))
    if repository.remote_commit is None or repository.remote_commit == active.commit:
        return pill("good", t("sync.is_current"))
    if repository.remote_commit == repository.held_commit:
        return pill("waits", t("sync.is_held"))
    return pill("waits", t("sync.is_behind"))
