"""Who reads a secret: pipelines that list its key, and repositories that are fetched or told of with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fastflow.kernel.pipelines.service import PipelineCatalog
from fastflow.kernel.secrets.domain.records import Secret
from fastflow.kernel.sync.service import RepositoryService
from fastflow.kit.identity import Actor, Role
from fastflow.kit.pages import MAX_PAGE_SIZE


@dataclass(frozen=True, kw_only=True)
class ReadBy:
    """Who wants a secret, by name, as far as somebody may see them.

    Attributes:
        pipelines: list its key in their settings.
        repositories: name it as their credentials or their webhooks' secret.
    """

    pipelines: Sequence[str] = ()
    repositories: Sequence[str] = ()

    def allowed(self, secret: Secret) -> Sequence[str]:
        """Those of the pipelines that are given it."""
        return [name for name in self.pipelines if secret.allows(name)]

    def refused(self, secret: Secret) -> Sequence[str]:
        """Those of the pipelines that list it in vain."""
        return [name for name in self.pipelines if not secret.allows(name)]


class Readers:
    """Finds them.

    Args:
        catalog: the pipelines.
        repositories: the repositories.
    """

    def __init__(self, catalog: PipelineCatalog, repositories: RepositoryService) -> None:
        self._catalog = catalog
        self._repositories = repositories

    def find(self, actor: Actor) -> Mapping[str, ReadBy]:
        """By key; one that nobody wants is not there."""
        pipelines: dict[str, list[str]] = {}
        for pipeline in self._catalog.list():
            if actor.may_touch(pipeline.name):
                for key in pipeline.secrets:
                    pipelines.setdefault(key, []).append(pipeline.name)
        repositories: dict[str, list[str]] = {}
        for repository in self._repositories.list(actor=actor, limit=MAX_PAGE_SIZE).items:
            for named in {repository.secret, repository.webhook_secret}:
                if named is not None:
                    repositories.setdefault(named, []).append(repository.name)
        return {
            key: ReadBy(pipelines=sorted(pipelines.get(key, ())), repositories=sorted(repositories.get(key, ())))
            for key in {*pipelines, *repositories}
        }

    def pipelines(self, actor: Actor) -> Sequence[str]:
        """Those that the actor may give secrets to."""
        return sorted(each.name for each in self._catalog.list() if actor.may_touch(each.name, Role.ADMIN))
