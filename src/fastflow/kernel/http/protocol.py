"""The HTTP/1.1 protocol of the server: uvicorn's on httptools, with an end to the length of a request's head.

uvicorn's own has none: 300 MB of header bytes from one connection, before any credentials, grew the server by 450 MB.
"""

import logging
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 64 * 1024
"""Method, path and headers together; what other servers allow as well. A read more (at most 256 KiB each) at either end may pass it."""

_log = logging.getLogger("fastflow.http")


class LimitedHeadProtocol(HttpToolsProtocol):
    """Cuts a connection that goes on sending headers."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head_bytes = 0
        self._in_head = True

    def data_received(self, data: bytes) -> None:
        """Take what came; refuse when the head of a request is still not complete and too long."""
        was_in_head = self._in_head
        super().data_received(data)
        if not (was_in_head and self._in_head):
            self._head_bytes = 0
            return
        self._head_bytes += len(data)
        if self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            _log.warning("http.head_too_long", extra={"fields": {"client": self.client, "bytes": self._head_bytes}})
            self.send_400_response(f"The head of a request may have at most {MAX_HEAD_BYTES} bytes.")

    def on_message_begin(self) -> None:
        """A request begins."""
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Its head is complete; the body is another limit's."""
        self._in_head = False
        super().on_headers_complete()
