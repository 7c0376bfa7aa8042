"""Turns what a script prints into log lines on disk and told events.

Each line on disk is `RFC3339-nanoseconds stream F|P text` (the CRI log form; P: the next line of the same stream
continues it). Lines that begin with `::fastflow::` become events and stay out of the log.
"""

import json
import os
import time

import masking

PART_BYTES = 16 * 1024
"""Text of one line on disk; longer lines are written in parts (the size container runtimes use)."""
EVENT_MARK = b"::fastflow::"
MAX_EVENT_BYTES = 256 * 1024
TAIL_BYTES = 64 * 1024
"""What is kept of the end when a log is cut at its size limit: that is where the traceback is."""
EVENT_KINDS = ("progress", "metric", "output")


def timestamp():
    """Now, as the log writes it: RFC 3339 in UTC with nanoseconds."""
    seconds, nanos = divmod(time.time_ns(), 1_000_000_000)
    return "{}.{:09d}Z".format(time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)), nanos).encode()


class LogFile:
    """The append-only log of one run.

    Args:
        descriptor: the log file, opened for appending.
        max_bytes: size at which the log is cut; None means never.
    """

    def __init__(self, descriptor, max_bytes):
        self._descriptor = descriptor
        self._max_bytes = max_bytes
        self._size = os.fstat(descriptor).st_size
        self._tail = []
        self._tail_bytes = 0
        self._torn = False
        self.dropped_bytes = 0
        self.lost_bytes = 0
        self.lost_because = None
        self._is_lost_told = False

    def write(self, lines):
        """Append whole lines (bytes ending in a newline)."""
        if self._max_bytes is not None and self._size + len(lines) > self._max_bytes:
            lines = self._up_to_the_limit(lines)
        if lines:
            self._append(lines)

    def finish(self):
        """After the run: write the kept tail and say what is missing."""
        if self._tail:
            kept = b"".join(self._tail)[-TAIL_BYTES:]
            start = kept.find(b"\n") + 1
            self.dropped_bytes += self._tail_bytes - (len(kept) - start)
            self.note(
                "the log reached its limit of {} bytes: {} bytes were left out here, the end follows".format(
                    self._max_bytes, self.dropped_bytes
                )
            )
            self._append(kept[start:])
            self._tail = []
        self.tell_lost()

    def tell_lost(self):
        """Say once what could not be written; on a disk that is still full it may be tried again."""
        lost, words = self.lost_bytes, self.untold()
        if words is not None:
            self.note(words)
            self._is_lost_told = self.lost_bytes == lost
            self.lost_bytes = lost

    def untold(self):
        """What is missing in words, for as long as the log does not say so itself; None: nothing."""
        if not self.lost_bytes or self._is_lost_told:
            return None
        return "{} bytes of output could not be written: {}".format(self.lost_bytes, self.lost_because)

    def release_if_removed(self):
        """Give back the space of a log that somebody has removed meanwhile."""
        if self._descriptor is not None and os.fstat(self._descriptor).st_nlink == 0:
            os.close(self._descriptor)
            self._descriptor = None

    def note(self, text):
        """Append a line of the product's own."""
        self._append(b"%s stderr F [fastflow] %s\n" % (timestamp(), text.encode("utf-8", "replace")))

    def close_with(self, text):
        """Append why the run was ended, as the last line; where there is no room for it, nothing of the script is lost."""
        lost = self.lost_bytes
        self.note(text)
        self.lost_bytes = lost

    def _up_to_the_limit(self, lines):
        room = max(0, self._max_bytes - self._size)
        cut = lines.rfind(b"\n", 0, room) + 1 if not self._tail else 0
        self._keep_tail(lines[cut:])
        return lines[:cut]

    def _keep_tail(self, lines):
        self._tail.append(lines)
        self._tail_bytes += len(lines)
        while self._tail_bytes - len(self._tail[0]) > TAIL_BYTES:
            gone = self._tail.pop(0)
            self._tail_bytes -= len(gone)
            self.dropped_bytes += len(gone)

    def _append(self, data):
        if self._descriptor is None:
            return
        view = memoryview(b"\n" + data if self._torn else data)
        while view:
            try:
                written = os.write(self._descriptor, view)
            except OSError as error:  # a full disk must not end the run: it goes on, and the gap is told
                self.lost_bytes += len(view)
                self.lost_because = os.strerror(error.errno)
                self._torn = self._torn or len(view) < len(data)
                return
            self._torn = False
            self._size += written
            view = view[written:]


class StreamWriter:
    """One of the script's two streams on its way into the log.

    Args:
        name: `stdout` or `stderr`.
        log: where lines go.
        secrets: values to mask.
        on_event: called with each event line's parsed object.
    """

    def __init__(self, name, log, secrets, on_event):
        self._stream = name.encode()
        self._log = log
        self._masker = masking.Masker(secrets)
        self._on_event = on_event if name == "stdout" else None
        self._rest = b""
        self._in_parts = False
        self.last_line = b""

    @property
    def has_partial(self):
        """Whether text without its newline waits."""
        return bool(self._rest)

    def feed(self, data):
        """Take a chunk of output."""
        self._take(self._masker.feed(data))

    def _take(self, data):
        buffer = self._rest + data if self._rest else data
        cut = buffer.rfind(b"\n") + 1
        whole, self._rest = buffer[:cut], buffer[cut:]
        if whole:
            self._write_whole(whole)
        limit = MAX_EVENT_BYTES if self._on_event and self._maybe_event(self._rest) else PART_BYTES
        if len(self._rest) > limit:
            self._write_parts()

    def flush_partial(self):
        """Write out text that still lacks its newline, so that readers see it live."""
        if self._rest and not (self._on_event and self._maybe_event(self._rest)):
            self._write_parts(all_of_it=True)

    def finish(self):
        """The stream ended: write what is left. A last line of stdout without its newline stays a part that nothing
        continues, so that readers get the script's bytes; on stderr lines of ours may follow, so it is ended."""
        self._take(self._masker.finish())
        is_text = not (self._on_event and self._rest.startswith(EVENT_MARK) and not self._in_parts)
        if self._stream == b"stdout" and is_text:
            self.last_line = self._rest or self.last_line
            self._write_parts(all_of_it=True)
            return
        rest, self._rest = self._rest, b""
        if rest or self._in_parts:
            self._write_whole(rest + b"\n")

    def _maybe_event(self, text):
        return not self._in_parts and EVENT_MARK.startswith(text[: len(EVENT_MARK)])

    def _write_whole(self, whole):
        if self._on_event and EVENT_MARK in whole:
            whole = self._without_events(whole)
            if not whole:
                return
        end = whole.rfind(b"\n", 0, len(whole) - 1) + 1
        self.last_line = whole[end:-1] or self.last_line
        head = b"%s %s " % (timestamp(), self._stream)
        if len(whole) > PART_BYTES and max(map(len, whole.split(b"\n"))) > PART_BYTES:
            text = b"".join(self._parts(head, line) for line in whole[:-1].split(b"\n"))
        else:
            full = head + b"F "
            text = full + whole[:-1].replace(b"\n", b"\n" + full) + b"\n"
        self._in_parts = False
        self._log.write(text)

    def _parts(self, head, line):
        pieces = [line[start : start + PART_BYTES] for start in range(0, len(line), PART_BYTES)] or [b""]
        lines = [head + b"P " + piece + b"\n" for piece in pieces[:-1]]
        lines.append(head + b"F " + pieces[-1] + b"\n")
        return b"".join(lines)

    def _write_parts(self, all_of_it=False):
        head = b"%s %s P " % (timestamp(), self._stream)
        whole = len(self._rest) if all_of_it else len(self._rest) // PART_BYTES * PART_BYTES
        for start in range(0, whole, PART_BYTES):
            self._log.write(head + self._rest[start : min(start + PART_BYTES, whole)] + b"\n")
        self._rest = self._rest[whole:]
        self._in_parts = True

    def _without_events(self, whole):
        kept = []
        for number, line in enumerate(whole[:-1].split(b"\n")):
            is_start = number > 0 or not self._in_parts
            if is_start and line.startswith(EVENT_MARK):
                problem = self._tell(line[len(EVENT_MARK) :])
                if problem is None:
                    continue
                kept.append(line)
                kept.append(b"[fastflow] " + problem)
            else:
                kept.append(line)
        return b"\n".join(kept) + b"\n" if kept else b""

    def _tell(self, text):
        """Hand an event on; a text that says what is wrong with it, or None."""
        if len(text) > MAX_EVENT_BYTES:
            return b"the line above is too long for an event"
        try:
            told = json.loads(text)
        except ValueError as error:
            return "the line above is not JSON: {}".format(error).encode()
        if not isinstance(told, dict) or not any(kind in told for kind in EVENT_KINDS):
            return b'the line above has none of the keys "progress", "metric", "output"'
        for kind in EVENT_KINDS:
            if kind in told:
                problem = self._tell_one(kind, told)
                if problem:
                    return problem
        return None

    def _tell_one(self, kind, told):
        value = told[kind]
        if kind == "progress":
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
                return b'"progress" in the line above is not a number from 0 to 1'
            data = {key: told[key] for key in ("progress", "step", "total") if key in told}
        else:
            if not isinstance(value, dict):
                return '"{}" in the line above is not an object'.format(kind).encode()
            data = value
        self._on_event(kind, data)
        return None
