"""Keeps secret values out of a stream of bytes, also across chunk borders and in their usual encodings."""

import base64
import json
import re
from urllib.parse import quote, quote_plus

MASK = b"***"
_ESCAPE = re.compile("%[0-9A-F]{2}")
MIN_FORM_BYTES = 4
"""Shorter pieces would mask ordinary text; secrets shorter than this are refused when they are stored."""
MIN_LINE_BYTES = 6
"""Lines of a many-line secret (a private key, say) are masked one by one from this length on."""


def forms_of(secret):
    """Every byte form in which `secret` is masked: itself, its lines, and its base64, URL, JSON and repr encodings."""
    forms = set()
    pieces = [secret] + [line.strip() for line in secret.splitlines() if len(line.strip().encode()) >= MIN_LINE_BYTES]
    for text in pieces:
        raw = text.encode("utf-8", "surrogateescape")
        forms.add(raw)
        for form in (quote(raw, safe=""), quote(raw), quote_plus(raw)):
            forms.update((form.encode(), _ESCAPE.sub(lambda found: found[0].lower(), form).encode()))
        forms.update(
            json.dumps(text, ensure_ascii=flag)[1:-1].encode("utf-8", "surrogateescape") for flag in (True, False)
        )
        forms.add(repr(text)[1:-1].encode("utf-8", "surrogateescape"))
        forms.update(_base64_forms(raw))
        forms.add(raw.hex().encode())
    return {form for form in forms if len(form) >= MIN_FORM_BYTES}


def _base64_forms(raw):
    """The characters that stand for `raw` in base64 text, wherever it begins within a longer encoded text."""
    for encode in (base64.standard_b64encode, base64.urlsafe_b64encode):
        yield encode(raw).rstrip(b"=")
        for shift in range(3):
            first = -(-shift * 8 // 6)  # characters that mix with what stands before
            whole = (shift + len(raw)) * 8 // 6  # characters that do not depend on what follows
            core = encode(b"\0" * shift + raw)[first:whole]
            if len(core) >= MIN_LINE_BYTES:
                yield core


class Masker:
    """Masks one stream. Feed it chunks; what might be the beginning of a secret is held back until it is decided."""

    def __init__(self, secrets):
        self._forms = sorted({form for secret in secrets for form in forms_of(secret)}, key=len, reverse=True)
        # looking ahead finds overlapping secrets too; longest first, so that a secret that begins another is no trap
        self._pattern = re.compile(b"(?=(" + b"|".join(map(re.escape, self._forms)) + b"))") if self._forms else None
        self._spans_lines = any(b"\n" in form for form in self._forms)
        self._held = b""

    def feed(self, data):
        """The masked bytes that can be given out now."""
        if self._pattern is None:
            return data
        data = self._held + data
        given, self._held = self._masked(data, len(data) - self._undecided(data))
        return given

    def finish(self):
        """What was held back; to be called when the stream has ended."""
        held, self._held = self._held, b""
        return self._masked(held, len(held))[0] if self._pattern else held

    def _masked(self, data, cut):
        """`data` up to `cut`, masked, and the rest as it is; the cut moves forward out of a secret it falls into."""
        if not any(form in data for form in self._forms):
            return data[:cut], data[cut:]
        pieces, position = [], 0
        for start, end in self._spans(data):
            if end > cut:
                cut = min(cut, start)
                break
            pieces += [data[position:start], MASK]
            position = end
        pieces.append(data[position:cut])
        return b"".join(pieces), data[cut:]

    def _spans(self, data):
        """Where secrets stand, overlapping ones as one span."""
        begin = end = -1
        for match in self._pattern.finditer(data):
            if match.start() > end:
                if begin >= 0:
                    yield begin, end
                begin = match.start()
            end = max(end, match.end(1))
        if begin >= 0:
            yield begin, end

    def _undecided(self, data):
        """How many bytes at the end of `data` may be the beginning of a secret."""
        if not self._spans_lines and data.endswith(b"\n"):
            return 0
        longest = 0
        for form in self._forms:
            top = min(len(form) - 1, len(data))
            if top <= longest:
                break  # the forms are sorted: no later one can hold back more
            tail = data[-top:]
            start = tail.find(form[:1])
            while start != -1 and len(tail) - start > longest:
                if form.startswith(tail[start:]):
                    longest = len(tail) - start
                    break
                start = tail.find(form[:1], start + 1)
        return longest
