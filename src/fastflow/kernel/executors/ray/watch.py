"""Tells at once when something appears or changes in a folder: inotify, with a slow look beside it for file systems that
do not say. One for each event loop; it holds a descriptor only while something is watched."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from inotify_simple import INotify, flags

_log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
_MASK = flags.CREATE | flags.MOVED_TO | flags.MODIFY


class FolderWatch:
    """Watches folders from the thread of an event loop."""

    def __init__(self) -> None:
        self._watches: dict[Path, list[Callable[[], None]]] = {}
        self._by_id: dict[int, Path] = {}
        self._inotify: INotify | None = None
        self._timer: asyncio.TimerHandle | None = None

    def add(self, folder: Path, on_change: Callable[[], None]) -> None:
        """Call `on_change` whenever something may have changed in the folder, which must exist. Look after this call,
        not before."""
        if not self._watches:
            self._start()
        callbacks = self._watches.setdefault(folder, [])
        callbacks.append(on_change)
        if len(callbacks) == 1 and self._inotify is not None:
            try:
                self._by_id[self._inotify.add_watch(folder, _MASK)] = folder
            except OSError as error:  # none left, or a file system without: the slow look does it
                _log.debug("watch_refused", extra={"fields": {"path": str(folder), "error": str(error)}})

    def remove(self, folder: Path, on_change: Callable[[], None]) -> None:
        """Stop calling it. Idempotent."""
        callbacks = self._watches.get(folder, [])
        if on_change in callbacks:
            callbacks.remove(on_change)
        if callbacks or folder not in self._watches:
            return
        del self._watches[folder]
        for watch_id in [key for key, path in self._by_id.items() if path == folder]:
            del self._by_id[watch_id]
            self._forget(watch_id)
        if not self._watches:
            self._stop()

    def close(self) -> None:
        """Watch nothing any more; everybody is called a last time."""
        self._tell(list(self._watches))
        self._watches.clear()
        self._stop()

    def _start(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            self._inotify = INotify(nonblocking=True)
            loop.add_reader(self._inotify.fileno(), self._on_events)
        except OSError as error:  # too many of this user
            _log.warning("inotify_unavailable", extra={"fields": {"error": str(error)}})
        self._timer = loop.call_later(LOOK_SECONDS, self._look)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._inotify is not None:
            asyncio.get_running_loop().remove_reader(self._inotify.fileno())
            self._inotify.close()
            self._inotify = None
        self._by_id.clear()

    def _forget(self, watch_id: int) -> None:
        if self._inotify is not None:
            try:
                self._inotify.rm_watch(watch_id)
            except OSError as error:  # the folder is gone and its watch with it
                _log.debug("watch_gone", extra={"fields": {"error": str(error)}})

    def _on_events(self) -> None:
        assert self._inotify is not None
        events = self._inotify.read(timeout=0)
        if any(event.mask & flags.Q_OVERFLOW for event in events):
            self._tell(list(self._watches))
        else:
            self._tell(list({self._by_id[event.wd]: None for event in events if event.wd in self._by_id}))

    def _look(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(LOOK_SECONDS, self._look)
        self._tell(list(self._watches))

    def _tell(self, folders: list[Path]) -> None:
        for folder in folders:
            for callback in list(self._watches.get(folder, ())):
                callback()
