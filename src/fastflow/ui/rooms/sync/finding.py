"""What the palette offers of repositories: the page on which each stands."""

from collections.abc import Sequence

from fastflow.kernel.sync.service import RepositoryService
from fastflow.kit.identity import Actor, Role
from fastflow.ui.manifest import Finder, Found, fits
from fastflow.ui.texts import Data, Texts

_SEARCHED = 200


def find_repositories(repositories: RepositoryService) -> Finder:
    """The group over all repositories; none is listed before one is asked for."""

    def find(_t: Texts, actor: Actor, wanted: str) -> Sequence[Found]:
        if actor.highest_role < Role.VIEWER or not wanted.strip():
            return []
        found = repositories.list(actor=actor, limit=_SEARCHED).items
        return [
            Found(label=Data(each.name), note=Data(each.url), path="/sync")
            for each in found
            if fits(f"{each.name} {each.url}", wanted)
        ]

    return Finder(title="sync.title", find=find)
