"""Repositories as people make, change and remove them."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from fastflow.kernel.sync.domain.errors import (
    InvalidRepository,
    RepositoryFromSettings,
    RepositoryNotFound,
)
from fastflow.kernel.sync.domain.repository import (
    BadAddress,
    Definition,
    Origin,
    Repository,
    definition_problems,
    parse_address,
)
from fastflow.kernel.sync.domain.sync import Sync
from fastflow.kernel.sync.ports import WAKE_MESSAGE, CredentialSource, Remote, RepositoryStore, SyncStore, WakeUp
from fastflow.kernel.sync.service.planning import Planner
from fastflow.kernel.sync.service.switching import Switcher
from fastflow.kit.clock import Clock
from fastflow.kit.errors import InvalidInput
from fastflow.kit.identity import SYSTEM, Actor, Role
from fastflow.kit.ids import new_id
from fastflow.kit.pages import DEFAULT_PAGE_SIZE, Page, decode_cursor, encode_cursor
from fastflow.kit.words import did_you_mean

logger = logging.getLogger(__name__)

_NAMES = 500


class RepositoryService:
    """Repositories. Every change is one transaction with its audit entry."""

    def __init__(
        self,
        *,
        store: RepositoryStore,
        syncs: SyncStore,
        remote: Remote,
        credentials: CredentialSource,
        planner: Planner,
        switcher: Switcher,
        wakeup: WakeUp,
        clock: Clock,
        protocols: tuple[str, ...],
    ) -> None:
        self._store = store
        self._syncs = syncs
        self._remote = remote
        self._credentials = credentials
        self._planner = planner
        self._switcher = switcher
        self._wakeup = wakeup
        self._clock = clock
        self._protocols = protocols

    def create(self, definition: Definition, *, actor: Actor) -> Repository:
        """A new repository; nothing is fetched yet.

        Raises:
            InvalidRepository: names every wrong field.
            RepositoryExists: the name is taken.
            Forbidden: the actor's role is lower than admin.
        """
        actor.require(Role.ADMIN)
        self._check(definition)
        added = self._store.add(self._new(definition, "user", actor), actor=actor)
        self._wakeup.wake_runner(WAKE_MESSAGE)
        return added

    def change(self, name: str, changes: Mapping[str, Any], *, actor: Actor) -> Repository:
        """Describe it otherwise, from the next sync on: what is active stays so.

        Raises:
            RepositoryNotFound, InvalidRepository, RepositoryFromSettings: it cannot be changed so.
        """
        actor.require(Role.ADMIN)
        before = self.get(name, actor=actor)
        if before.origin == "settings":
            raise _from_settings(before)
        definition = replace(before.definition, **changes)
        self._check(definition)
        return self._change(before, definition, "user", actor)

    def delete(self, name: str, *, actor: Actor, force: bool = False) -> None:
        """Remove it with its pipelines.

        Raises:
            RepositoryNotFound, RepositoryFromSettings: it cannot be removed.
            SyncRefused: its pipelines are in use, and it is not forced.
        """
        actor.require(Role.ADMIN)
        repository = self.get(name, actor=actor)
        if repository.origin == "settings":
            raise _from_settings(repository)
        self._take_out(repository, actor, force=force)
        self._store.delete(name, actor=actor, at=self._clock.now())
        self._remote.forget(name)

    def _take_out(self, repository: Repository, actor: Actor, *, force: bool) -> None:
        active = {one.repository: one for one in self._syncs.load_active()}.get(repository.name)
        if active is None:
            return
        plan = self._planner.compare(repository.name, None).plan
        now = self._clock.now()
        sync = Sync(
            id=new_id(),
            repository=repository.name,
            action="remove",
            trigger="cli" if actor.name.startswith("cli:") else "api",
            requested_by=actor.name,
            requested_at=now,
            force=force,
            commit_before=active.commit,
            plan=plan.to_json(),
            started_at=now,
        )
        self._switcher.switch(sync, plan, actor=actor, owner=None, why="The repository was removed.")

    def get(self, name: str, *, actor: Actor) -> Repository:
        """The repository.

        Raises:
            RepositoryNotFound: there is none; names near ones.
        """
        actor.require_somewhere(Role.VIEWER)
        found = self._store.find(name)
        if found is None:
            names = [one.name for one in self._store.load_page(after="", limit=_NAMES)]
            raise RepositoryNotFound(
                f"There is no repository {name[:80]!r}.{did_you_mean(name, names)}",
                fields={"repository": f"there is no repository {name[:80]!r}"},
            )
        return found

    def list(self, *, actor: Actor, cursor: str | None = None, limit: int = DEFAULT_PAGE_SIZE) -> Page[Repository]:
        """One page by name.

        Raises:
            InvalidInput: the cursor was not given out by this list.
        """
        actor.require_somewhere(Role.VIEWER)
        after = str(decode_cursor(cursor, (str,))[0]) if cursor else ""
        found = self._store.load_page(after=after, limit=limit + 1)
        items = found[:limit]
        return Page(items=items, next_cursor=encode_cursor(items[-1].name) if len(found) > limit else None)

    # -- the settings' own ----------------------------------------------------------------------------------------------

    def adopt(self, definition: Definition | None, name: str) -> Repository | None:
        """Bring the repository that the settings describe to what they say; None: they describe none, and one that they
        described before is from now on like any other."""
        before = self._store.find(name)
        if definition is None:
            if before is not None and before.origin == "settings":
                logger.warning("repository.left_by_settings", extra={"fields": {"repository": name}})
                self._change(before, before.definition, "user", SYSTEM)
            return None
        if before is None:
            return self._store.add(self._new(definition, "settings", SYSTEM), actor=SYSTEM)
        if before.origin == "settings" and before.definition == definition:
            return before
        return self._change(before, definition, "settings", SYSTEM)

    # -- inside -----------------------------------------------------------------------------------------------------------

    def _check(self, definition: Definition) -> None:
        problems = definition_problems(definition, self._protocols)
        for field, problem in self._credentials.check(definition).items():
            problems.setdefault(field, problem)
        if problems:
            raise InvalidRepository(problems, hint=_hint(definition))

    def _new(self, definition: Definition, origin: Origin, actor: Actor) -> Repository:
        now = self._clock.now()
        return Repository(
            **vars(definition),
            origin=origin,
            created_at=now,
            created_by=actor.name[:200],
            updated_at=now,
            updated_by=actor.name[:200],
            next_sync_at=_first_look(definition, now),
        )

    def _change(self, before: Repository, definition: Definition, origin: Origin, actor: Actor) -> Repository:
        now = self._clock.now()
        following = before.next_sync_at
        if definition.interval != before.interval:
            following = _first_look(definition, now)
        changed = self._store.change(
            before.name, definition, actor=actor, at=now, origin=origin, next_sync_at=following
        )
        if changed is None:
            raise RepositoryNotFound(f"The repository {before.name!r} was removed this moment.")
        if (definition.url, definition.branch) != (before.url, before.branch):
            self._remote.forget(before.name)
        self._wakeup.wake_runner(WAKE_MESSAGE)
        return changed


_VARIABLES: Mapping[str, str] = {
    "url": "GIT_URL",
    "branch": "GIT_BRANCH",
    "subfolder": "GIT_SUBFOLDER",
    "prefix": "GIT_PREFIX",
    "secret": "GIT_SECRET",
    "username": "GIT_USERNAME",
    "webhook_secret": "GIT_WEBHOOK_SECRET",
    "auth": "GIT_AUTH",
    "host_keys": "GIT_HOST_KEYS",
    "interval": "AUTO_SYNC_INTERVAL",
    "app_id": "GITHUB_APP_ID",
    "installation_id": "GITHUB_INSTALLATION_ID",
}


def require_usable(definition: Definition, protocols: tuple[str, ...]) -> Definition:
    """The repository that the settings describe, if it can be used.

    Raises:
        InvalidInput: a setting cannot be used; names the variable.
    """
    problems = definition_problems(definition, protocols)
    if problems:
        fields = {_VARIABLES.get(field, field): problem for field, problem in problems.items()}
        told = "; ".join(f"{variable}: {problem}" for variable, problem in fields.items())
        raise InvalidInput(
            f"A setting has a wrong value: {told}.",
            code="invalid_setting",
            hint=_hint(definition) or "Correct the named environment variable (or its line in .env).",
            fields=fields,
        )
    return definition


def _first_look(definition: Definition, now: datetime) -> datetime | None:
    """At once, when it has an interval of its own; by the installation's, when the syncer comes to it."""
    return now if definition.interval else None


def _hint(definition: Definition) -> str | None:
    try:
        parse_address(definition.url)
    except BadAddress as error:
        return error.hint
    return None


def _from_settings(repository: Repository) -> RepositoryFromSettings:
    return RepositoryFromSettings(f"The repository {repository.name} is described by the server's settings.")
