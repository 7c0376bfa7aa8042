"""Which version of each repository is active, as the catalogue asks for it: read from the database, so that an activation
is seen by every process of every server with the very next look."""

import time
from collections.abc import Callable, Collection, Sequence

from sqlalchemy import select

from fastflow.kernel.db.engine import Database
from fastflow.kernel.pipelines.ports import CodeSource
from fastflow.kernel.sync.infra.rows import ACTIVE, SYNC

_FIELDS = ("repository", "commit", "tree_hash", "prefix", "subfolder")
_ACTIVE = select(*(ACTIVE.c[name] for name in _FIELDS)).order_by(ACTIVE.c.repository)
_NONE_SECONDS = 1.0
"""How long it is believed that there is no repository at all: who uses none pays nothing for those who do."""
KEPT_VERSIONS = 10
"""Versions of a repository whose files stay, so that a rollback needs nothing but the database."""


class ActiveSources:
    """See `pipelines.ports.Sources`."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._none_until = float("-inf")

    def active(self) -> Sequence[CodeSource]:
        """See the port; the first activation of all is seen by other processes within a second."""
        if self._clock() < self._none_until:
            return ()
        with self._database.read() as connection:
            found = [CodeSource(**dict(zip(_FIELDS, row, strict=True))) for row in connection.execute(_ACTIVE)]
        if not found:
            self._none_until = self._clock() + _NONE_SECONDS
        return found

    def forget(self) -> None:
        """Look anew: something was activated in this process."""
        self._none_until = float("-inf")

    def kept(self) -> Collection[str]:
        """See the port: the active ones, and the latest of each repository."""
        versions = (
            select(SYNC.c.repository, SYNC.c.tree_hash)
            .where(SYNC.c.state == "activated", SYNC.c.tree_hash.is_not(None))
            .order_by(SYNC.c.id.desc())
        )
        kept: dict[str, set[str]] = {}
        with self._database.read() as connection:
            for repository, tree_hash in connection.execute(versions):
                mine = kept.setdefault(repository, set())
                if len(mine) < KEPT_VERSIONS:
                    mine.add(tree_hash)
            active = set(connection.scalars(select(ACTIVE.c.tree_hash)))
        return active.union(*kept.values())


class HiddenSources(ActiveSources):
    """For a catalogue of one folder alone; the versions' files are kept all the same."""

    def active(self) -> Sequence[CodeSource]:
        """See the port."""
        return ()


class FixedSources:
    """A `Sources` for a catalogue as it would be."""

    def __init__(self, sources: Sequence[CodeSource]) -> None:
        self._sources = sources

    def active(self) -> Sequence[CodeSource]:
        """See `Sources.active`."""
        return self._sources

    def kept(self) -> Collection[str]:
        """See `Sources.kept`."""
        return [source.tree_hash for source in self._sources]
