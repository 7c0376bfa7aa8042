"""Brings what the supervisor writes to the server: log and events as they grow, artifacts and the exit at the end.

Everything lies on the node's disk first. Each piece is sent with the offset it belongs at; the server takes it only
there and says which offset it wants otherwise, so nothing is lost or repeated whoever was away in between.
"""

import os
import stat

from uplink import Away, Refused

MAX_ARTIFACTS = 10_000
MAX_DEPTH = 32
MAX_NOTES = 20
_READ_BYTES = 1 << 20
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Stream:
    """A file that only grows, on its way to the server.

    Args:
        uplink: to the server.
        name: what the server calls it.
        path: the file; it need not exist yet.
        chunk: bytes sent at once.
    """

    def __init__(self, uplink, name, path, chunk):
        self.uplink = uplink
        self.offset = 0
        self._name = name
        self._path = path
        self._chunk = chunk
        self._file = None

    def push(self):
        """Send what is new, all of it; whether there was anything.

        Raises Away or Refused.
        """
        if self._file is None:
            try:
                self._file = open(self._path, "rb", buffering=0)
            except FileNotFoundError:
                return False
        has_sent = False
        while True:
            data = os.pread(self._file.fileno(), self._chunk, self.offset)
            if not data:
                return has_sent
            has_sent = True
            try:
                self.offset = self.uplink.ask(self._name, data, {"offset": self.offset})["size"]
            except Refused as refusal:
                if refusal.is_final:
                    raise
                if refusal.code != "wrong_offset":
                    raise Away(str(refusal)) from refusal  # a server with other limits may stand there one day
                self.move_to(refusal.told["offset"])

    def move_to(self, offset):
        """Go on at the offset the server wants."""
        if not 0 <= offset <= os.fstat(self._file.fileno()).st_size:
            raise Refused("attempt_over", "the server has more of the {} than there is".format(self._name), {})
        self.offset = offset

    def close(self):
        """Let go of the file."""
        if self._file is not None:
            self._file.close()


class Artifacts:
    """The files that the script left. It could write what it liked there: no link is followed, nothing but its own
    regular files is taken.

    Args:
        uplink: to the server.
        folder: where the script left them.
        chunk: bytes sent at once.
        max_bytes: of all together.
    """

    def __init__(self, uplink, folder, chunk, max_bytes):
        self._uplink = uplink
        self._folder = folder
        self._chunk = chunk
        self._max_bytes = max_bytes
        self._sent = {}
        self._bytes = 0
        self.notes = []

    def push(self):
        """Send every file that was not sent yet. May be called again after Away; what was left out is in `notes`.

        Raises Away or Refused.
        """
        del self.notes[:]
        self._bytes = sum(size for size in self._sent.values() if size is not None)
        root = os.open(self._folder, _FOLDER)
        try:
            for path, descriptor in self._walk(root, "", os.fstat(root).st_uid, 0):
                try:
                    self._push_one(path, descriptor)
                finally:
                    os.close(descriptor)
        finally:
            os.close(root)
        if len(self.notes) > MAX_NOTES:
            self.notes[MAX_NOTES:] = ["and {} more that were left out".format(len(self.notes) - MAX_NOTES)]

    def _push_one(self, path, descriptor):
        if path in self._sent:
            return
        size = os.fstat(descriptor).st_size
        if len(self._sent) >= MAX_ARTIFACTS:
            self._leave_out(path, "there are more than {} files".format(MAX_ARTIFACTS))
        elif self._bytes + size > self._max_bytes:
            self._leave_out(path, "all together would exceed the limit of {} bytes".format(self._max_bytes))
        else:
            self._bytes += size
            try:
                self._send(path, descriptor, size, _digest(descriptor, size))
            except Refused as refusal:
                if refusal.is_final:
                    raise
                self._leave_out(path, str(refusal))
                size = None
            self._sent[path] = size

    def _send(self, path, descriptor, size, digest):
        offset = 0
        while True:
            data = os.pread(descriptor, min(self._chunk, size - offset), offset)
            query = {"path": path, "offset": offset, "total": size, "sha256": digest}
            try:
                offset = self._uplink.ask("artifacts", data, query)["size"]
            except Refused as refusal:
                if refusal.code != "wrong_offset" or not 0 <= refusal.told["offset"] <= size:
                    raise
                offset = refusal.told["offset"]
                continue
            if offset >= size:
                return

    def _walk(self, folder, prefix, owner, depth):
        if depth > MAX_DEPTH:
            self._leave_out(prefix, "folders nested too deep")
            return
        for name in sorted(os.listdir(folder)):
            path = prefix + name
            if not _is_storable(path):
                self._leave_out(path, "its name is not UTF-8, has control characters or is too long")
                continue
            try:
                kind = os.stat(name, dir_fd=folder, follow_symlinks=False)
                if stat.S_ISDIR(kind.st_mode):
                    below = os.open(name, _FOLDER, dir_fd=folder)
                    try:
                        for found in self._walk(below, path + "/", owner, depth + 1):
                            yield found
                    finally:
                        os.close(below)
                    continue
                descriptor = os.open(name, _FILE, dir_fd=folder) if stat.S_ISREG(kind.st_mode) else None
            except OSError as error:
                self._leave_out(path, os.strerror(error.errno or 0))
                continue
            found = os.fstat(descriptor) if descriptor is not None else None
            if found is not None and stat.S_ISREG(found.st_mode) and (found.st_uid == owner or found.st_nlink == 1):
                yield path, descriptor
                continue
            if descriptor is not None:
                os.close(descriptor)
            self._leave_out(path, "not a regular file of the script's own")

    def _leave_out(self, path, why):
        self.notes.append("artifact left out, {}: {}".format(why, ascii(path[:200])[1:-1]))


def _is_storable(path):
    try:
        encoded = path.encode()
    except UnicodeEncodeError:
        return False
    return len(encoded) <= 1000 and path.isprintable()


def _digest(descriptor, size):
    import hashlib  # loads OpenSSL, which most runs need not wait for

    digest, offset = hashlib.sha256(), 0
    while offset < size:
        data = os.pread(descriptor, min(_READ_BYTES, size - offset), offset)
        if not data:
            break
        digest.update(data)
        offset += len(data)
    return digest.hexdigest()
