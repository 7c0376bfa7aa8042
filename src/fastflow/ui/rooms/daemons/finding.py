"""What the palette offers of daemons: those whose pipeline fits."""

from collections.abc import Sequence
from urllib.parse import quote

from fastflow.kernel.daemons.service import DaemonService
from fastflow.kit.identity import Actor, Role
from fastflow.ui.manifest import Finder, Found, fits
from fastflow.ui.texts import Data, Texts

_SEARCHED = 500
"""More daemons than this are found by their page alone."""


def find_daemons(daemons: DaemonService) -> Finder:
    """The group over all daemons, each with how it stands; none is listed before one is asked for."""

    def find(t: Texts, actor: Actor, wanted: str) -> Sequence[Found]:
        if actor.highest_role < Role.VIEWER or not wanted.strip():
            return []
        views = [(each.daemon.pipeline_name, each.state) for each in daemons.list(actor=actor, limit=_SEARCHED).items]
        return [
            Found(
                label=Data(name),
                note=t(f"daemons.state_{state.replace('-', '_')}"),
                path=f"/daemons/{quote(name, safe='')}",
            )
            for name, state in views
            if fits(name, wanted)
        ]

    return Finder(title="daemons.title", find=find)
