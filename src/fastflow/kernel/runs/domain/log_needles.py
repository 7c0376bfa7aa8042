"""Texts that are looked for in a log."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

_COLOUR = re.compile(rb"\x1b\[[0-9;]*m")
_WORD = frozenset(b"0123456789_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")


@dataclass(frozen=True, kw_only=True)
class Needles:
    """Some texts, of which a line has to hold one.

    Attributes:
        texts: folded, if letters of either case will do.
        ignore_case: whether they will (A to Z).
        whole_words: whether no letter, digit or underscore may stand beside the text.
    """

    texts: tuple[bytes, ...]
    ignore_case: bool = False
    whole_words: bool = False

    @classmethod
    def of(cls, texts: Iterable[bytes], *, ignore_case: bool, whole_words: bool) -> "Needles":
        """Ready to be looked for."""
        folded = tuple(text.lower() if ignore_case else text for text in texts)
        return cls(texts=folded, ignore_case=ignore_case, whole_words=whole_words)

    def fold(self, data: bytes) -> bytes:
        """The bytes as they are compared."""
        if self.whole_words and b"\x1b" in data:
            data = _COLOUR.sub(b"", data)  # it ends with a letter, which is none of the word
        return data.lower() if self.ignore_case else data

    def may_be_in(self, data: bytes) -> bool:
        """Whether one occurs in any of these lines; the quick look at many at once."""
        return self.occur_in(self.fold(data))

    def occur_in(self, folded: bytes, start: int = 0, *, is_open: bool = False) -> bool:
        """Whether one occurs as it is wanted.

        Args:
            folded: the bytes, folded.
            start: where to begin; what stands before counts as a neighbour.
            is_open: there is more, so that a word at the end may go on.
        """
        if not self.whole_words:
            return any(folded.find(text, start) >= 0 for text in self.texts)
        return any(self._is_word(folded, text, start, is_open) for text in self.texts)

    def occur_in_chunks(self, chunks: Iterable[bytes]) -> bool:
        """Whether one occurs in a text that comes in pieces, also across their borders."""
        kept = max(map(len, self.texts), default=0) + 1
        window = b""
        is_later = False
        for data in chunks:
            window += self.fold(data)
            if self.occur_in(window, int(is_later), is_open=True):
                return True
            is_later = is_later or len(window) > kept
            window = window[-kept:]
        return self.occur_in(window, int(is_later))

    @staticmethod
    def _is_word(folded: bytes, text: bytes, start: int, is_open: bool) -> bool:
        at = folded.find(text, start)
        while at >= 0:
            end = at + len(text)
            is_begun = at > 0 and folded[at - 1] in _WORD
            goes_on = is_open if end == len(folded) else folded[end] in _WORD
            if not is_begun and not goes_on:
                return True
            at = folded.find(text, at + 1)
        return False
