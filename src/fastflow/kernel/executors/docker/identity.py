"""Who owns a container: the data folder it was made for. Several installations may share one engine."""

import json
import os
import secrets
from pathlib import Path


def read_identity(folder: Path) -> str:
    """The identity of the containers' folder, made at the first call.

    It is bound to the folder's inode: a copy of a data folder, restored beside the original, gets an identity of its own
    and leaves the original's containers alone.
    """
    inode = folder.stat().st_ino
    path = folder / "identity"
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        if told["inode"] == inode:
            return str(told["identity"])
    except FileNotFoundError:
        return _make(path, inode)
    except (ValueError, KeyError):
        pass  # torn by a crash: as good as none
    path.unlink(missing_ok=True)  # torn, or of the folder this one was copied from
    return _make(path, inode)


def _make(path: Path, inode: int) -> str:
    fresh = path.with_name(f"identity.{secrets.token_hex(4)}")
    fresh.write_text(json.dumps({"identity": secrets.token_hex(16), "inode": inode}), encoding="utf-8")
    try:
        os.link(fresh, path)  # of two processes that come here at once the first one wins
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
    return str(json.loads(path.read_text(encoding="utf-8"))["identity"])
