"""A small Git host: repositories over smart HTTP behind a password, and the two endpoints by which GitHub gives Apps tokens."""

import base64
import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa


@dataclass
class GitHost:
    """What the host has and what it was asked.

    Attributes:
        root: repositories are below it.
        users: user -> password; empty: anybody may read.
        app_key: public key of the App whose claims are believed.
        installation: id of the App's installation.
        claims: what the App claimed, latest last.
        asked: bodies of requests for tokens.
        redirect_to: where the smart protocol is sent to instead.
    """

    root: Path
    users: dict[str, str] = field(default_factory=dict)
    app_key: rsa.RSAPublicKey | None = None
    installation: str = "77"
    claims: list[dict[str, Any]] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    authorizations: list[str] = field(default_factory=list)
    redirect_to: str | None = None
    url: str = ""

    def give_token(self, token: str) -> dict[str, Any]:
        """A token that holds for an hour, and lets in from now on."""
        self.users["x-access-token"] = token
        return {"token": token, "expires_at": (datetime.now(UTC) + timedelta(hours=1)).isoformat()}


@contextmanager
def serve_git(root: Path) -> Iterator[GitHost]:
    """A host on this machine, for as long as the block lasts."""
    host = GitHost(root)
    server = _Server(("127.0.0.1", 0), _Handler)
    server.host = host
    host.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield host
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    """Knows its host."""

    host: GitHost


class _Handler(BaseHTTPRequestHandler):
    """One request."""

    server: "_Server"

    def do_GET(self) -> None:
        """A look: the installation, or the smart protocol."""
        if self.path.endswith("/installation"):
            self._with_claim(lambda: {"id": int(self.server.host.installation)})
        else:
            self._git()

    def do_POST(self) -> None:
        """A token, or the smart protocol."""
        if self.path == f"/app/installations/{self.server.host.installation}/access_tokens":
            self._with_claim(lambda: self.server.host.give_token(f"ghs_{len(self.server.host.asked)}secret"))
        elif self.path.startswith("/app/"):
            self._answer(404, {"message": "Not Found"})
        else:
            self._git()

    def _with_claim(self, give: Any) -> None:
        body = self._body()
        claim = _believed(self.server.host, self.headers.get("Authorization", ""))
        if claim is None:
            self._answer(401, {"message": "A JSON web token could not be decoded"})
            return
        self.server.host.claims.append(claim)
        if body:
            self.server.host.asked.append(json.loads(body))
        self._answer(201, give())

    def _git(self) -> None:
        given = self.headers.get("Authorization", "")
        self.server.host.authorizations.append(given)
        body = self._body()
        if self.server.host.redirect_to is not None:
            self.send_response(302)
            self.send_header("Location", self.server.host.redirect_to + self.path)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if self.server.host.users and not _is_let_in(self.server.host, given):
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        path, _, query = self.path.partition("?")
        done = subprocess.run(
            ["git", "http-backend"],
            input=body,
            capture_output=True,
            check=False,
            env={
                "PATH": "/usr/local/bin:/usr/bin:/bin",
                "GIT_PROJECT_ROOT": str(self.server.host.root),
                "GIT_HTTP_EXPORT_ALL": "1",
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "REQUEST_METHOD": self.command,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(len(body)),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            },
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
        self.send_response(int(headers.pop("Status", "200").split()[0]))
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _answer(self, status: int, told: dict[str, Any]) -> None:
        content = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


def _is_let_in(host: GitHost, header: str) -> bool:
    if not header.startswith("Basic "):
        return False
    user, _, password = base64.b64decode(header[6:]).decode().partition(":")
    return host.users.get(user) == password


def _believed(host: GitHost, header: str) -> dict[str, Any] | None:
    """The claim of a token that the App's key has signed and that holds now."""
    parts = header.removeprefix("Bearer ").split(".")
    if host.app_key is None or len(parts) != 3:
        return None
    head, claim = (json.loads(_decoded(part)) for part in parts[:2])
    host.app_key.verify(_decoded(parts[2]), ".".join(parts[:2]).encode(), padding.PKCS1v15(), hashes.SHA256())
    now = datetime.now(UTC).timestamp()
    is_good = head["alg"] == "RS256" and claim["iat"] <= now < claim["exp"] <= claim["iat"] + 600
    return dict(claim) if is_good else None


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
