"""Tells at once when a file grows or appears: inotify, with a slow poll beside it for file systems that do not say.

One watcher serves a whole process. It lives in the event loop's thread and holds a descriptor only while something is
watched.
"""

import asyncio
import errno
import logging
from collections.abc import Callable
from pathlib import Path

from inotify_simple import INotify, flags

_log = logging.getLogger("fastflow.logs")

POLL_SECONDS = 0.25
_FILE_MASK = flags.MODIFY | flags.ATTRIB
_FOLDER_MASK = flags.CREATE | flags.MOVED_TO


class Watch:
    """One watched file.

    Attributes:
        path: the file.
        on_change: called when it may have grown or appeared; may be called without cause.
    """

    def __init__(self, path: Path, on_change: Callable[[], None]) -> None:
        self.path = path
        self.on_change = on_change
        self.watch_id: int | None = None
        self.on_file = False
        self.refused = False


class FileWatcher:
    """Watches files by inotify, and looks at all of them every `POLL_SECONDS`."""

    def __init__(self) -> None:
        self._watches: set[Watch] = set()
        self._by_id: dict[int, set[Watch]] = {}
        self._inotify: INotify | None = None
        self._poll: asyncio.TimerHandle | None = None

    def add(self, path: Path, on_change: Callable[[], None]) -> Watch:
        """Begin to watch; the file need not exist yet. Look at the file after this call, not before."""
        watch = Watch(path, on_change)
        if not self._watches:
            self._start()
        self._watches.add(watch)
        self._attach(watch)
        return watch

    def remove(self, watch: Watch) -> None:
        """Stop watching; may be called again."""
        self._watches.discard(watch)
        self._detach(watch)
        if not self._watches:
            self._stop()

    def _start(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            self._inotify = INotify(nonblocking=True)
            loop.add_reader(self._inotify.fileno(), self._on_events)
        except OSError as error:  # too many inotify instances of this user: the poll does it alone
            _log.warning("inotify_unavailable", extra={"fields": {"error": str(error)}})
        self._poll = loop.call_later(POLL_SECONDS, self._on_poll)

    def _stop(self) -> None:
        if self._poll is not None:
            self._poll.cancel()
            self._poll = None
        if self._inotify is not None:
            asyncio.get_running_loop().remove_reader(self._inotify.fileno())
            self._inotify.close()
            self._inotify = None
        self._by_id.clear()

    def _attach(self, watch: Watch) -> None:
        """Watch the file itself, or, until it exists, its folder."""
        if self._inotify is None or watch.refused:
            return
        for path, mask, on_file in ((watch.path, _FILE_MASK, True), (watch.path.parent, _FOLDER_MASK, False)):
            try:
                watch_id = self._inotify.add_watch(path, mask)
            except OSError as error:
                if error.errno != errno.ENOENT:  # no watches left, or a file system without: the poll does it
                    _log.warning("watch_refused", extra={"fields": {"path": str(path), "error": str(error)}})
                    watch.refused = True
                    return
                continue
            watch.watch_id, watch.on_file = watch_id, on_file
            self._by_id.setdefault(watch_id, set()).add(watch)
            if on_file or not watch.path.exists():
                return
            self._detach(watch)  # it appeared between the two attempts
            self._attach(watch)
            return

    def _detach(self, watch: Watch) -> None:
        watch_id, watch.watch_id, watch.on_file = watch.watch_id, None, False
        watchers = self._by_id.get(watch_id) if watch_id is not None else None
        if watchers is None:
            return
        watchers.discard(watch)
        if not watchers and watch_id is not None and self._inotify is not None:
            del self._by_id[watch_id]
            try:
                self._inotify.rm_watch(watch_id)
            except OSError as error:
                if error.errno != errno.EINVAL:  # EINVAL: the file is gone and its watch with it
                    raise

    def _on_events(self) -> None:
        assert self._inotify is not None
        for event in self._inotify.read(timeout=0):
            if event.mask & flags.Q_OVERFLOW:
                self._look_at_all()
                return
            if event.mask & flags.IGNORED:
                for watch in self._by_id.pop(event.wd, ()):
                    watch.watch_id, watch.on_file = None, False
                continue
            for watch in tuple(self._by_id.get(event.wd, ())):
                self._on_event(watch, event.name)
            if self._inotify is None:  # a callback removed the last watch
                return

    def _on_event(self, watch: Watch, name: str) -> None:
        if not watch.on_file:
            if name != watch.path.name:
                return
            self._detach(watch)
            self._attach(watch)
        watch.on_change()

    def _on_poll(self) -> None:
        self._poll = asyncio.get_running_loop().call_later(POLL_SECONDS, self._on_poll)
        self._look_at_all()

    def _look_at_all(self) -> None:
        for watch in tuple(self._watches):
            if watch in self._watches:
                if not watch.on_file and watch.path.exists():
                    self._detach(watch)
                    self._attach(watch)
                watch.on_change()
