"""Requests to the server: one connection, kept open; answers told apart by what can be done about them."""

import json
import sys
import urllib.parse

TIMEOUT_SECONDS = 30.0
PREFIX = "/agent"
FINAL = ("attempt_unknown", "attempt_over", "attempt_token_invalid", "order_taken")
"""What the server says when it wants to hear no more of this attempt; any other refusal may be a server's passing state."""


class Away(Exception):
    """The server cannot be reached, or what answers there is not ours: trying again later may help."""


class Refused(Exception):
    """The server does not take this. `code` tells why; `is_final`: it will take nothing of this attempt any more."""

    def __init__(self, code, text, told):
        Exception.__init__(self, text)
        self.code = code
        self.told = told
        self.is_final = code in FINAL


def _load_client(is_plain):
    """`http.client`; where nothing is encrypted without OpenSSL, which takes as long to load as all else of it."""
    if is_plain and "ssl" not in sys.modules:
        sys.modules["ssl"] = None
    try:
        import http.client
    finally:
        if sys.modules.get("ssl", json) is None:
            del sys.modules["ssl"]
    return http.client


class Uplink:
    """One attempt's way to the server. Not for two threads at once: each takes its own.

    Args:
        url: where the server is, such as `http://head:8000`.
        run_id, attempt: which attempt.
        token: goes with every request.
    """

    def __init__(self, url, run_id, attempt, token):
        self._url = urllib.parse.urlsplit(url)
        self._base = "{}{}/{}/{}".format(self._url.path.rstrip("/"), PREFIX, run_id, attempt)
        self._names = (url, run_id, attempt)
        self._connection = None
        self._client = _load_client(self._url.scheme != "https")
        self.token = token

    def twin(self):
        """Another one for the same attempt."""
        return Uplink(*self._names, token=self.token)

    def ask(self, what, body=None, query=None, timeout=TIMEOUT_SECONDS):
        """POST to `what`: bytes as they are, all else as JSON; the answer's JSON object.

        Raises Away or Refused.
        """
        status, data = self._exchange("POST", what, body, query, timeout)
        try:
            told = json.loads(data or b"{}")
        except ValueError:
            told = None
        if not isinstance(told, dict):
            raise Away("{} answered {} and no JSON object".format(self._url.netloc, status))
        if status < 300:
            return told
        code = str(told.get("code", ""))
        text = "{} ({} {})".format(told.get("detail", "no reason given"), status, code)
        if status >= 500 or (status in (404, 429) and code not in FINAL) or not code:
            raise Away(text)
        raise Refused(code, text, told)

    def fetch(self, what, target):
        """Write the body of a GET into the open file `target`.

        Raises Away.
        """
        connection = self._connect(TIMEOUT_SECONDS)
        try:
            connection.request("GET", "{}/{}".format(self._base, what), headers=self._headers())
            answer = connection.getresponse()
            if answer.status != 200:
                raise Away("{} answered {}".format(self._url.netloc, answer.status))
            while True:
                piece = answer.read(1 << 20)
                if not piece:
                    return
                target.write(piece)
        except (OSError, self._client.HTTPException) as error:
            raise Away(self._words(error)) from error
        finally:
            self.close()

    def close(self):
        """Close the connection; the next request opens one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _exchange(self, method, what, body, query, timeout):
        headers = self._headers()
        if body is None or isinstance(body, bytes):
            headers["Content-Type"] = "application/octet-stream"
            data = body or b""
        else:
            headers["Content-Type"] = "application/json"
            data = json.dumps(body).encode()
        path = "{}/{}{}".format(self._base, what, "?" + urllib.parse.urlencode(query) if query else "")
        is_fresh = self._connection is None
        try:
            return self._send(method, path, data, headers, timeout)
        except (OSError, self._client.HTTPException) as error:
            self.close()
            if is_fresh:
                raise Away(self._words(error)) from error
        try:  # a kept connection that the server has closed meanwhile tells nothing about the server
            return self._send(method, path, data, headers, timeout)
        except (OSError, self._client.HTTPException) as error:
            self.close()
            raise Away(self._words(error)) from error

    def _send(self, method, path, data, headers, timeout):
        connection = self._connect(timeout)
        connection.request(method, path, data, headers)
        answer = connection.getresponse()
        body = answer.read()
        if answer.will_close:
            self.close()
        return answer.status, body

    def _connect(self, timeout):
        if self._connection is None:
            kind = self._client.HTTPSConnection if self._url.scheme == "https" else self._client.HTTPConnection
            self._connection = kind(self._url.hostname, self._url.port, timeout=timeout)
        else:
            self._connection.timeout = timeout
            if self._connection.sock is not None:
                self._connection.sock.settimeout(timeout)
        return self._connection

    def _headers(self):
        return {"Authorization": "Bearer " + self.token}

    def _words(self, error):
        return "{} cannot be reached: {}".format(self._url.netloc, error or type(error).__name__)
