import re
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from fastflow.kernel.runs.domain.log_needles import Needles

PIECES = st.lists(st.sampled_from([b"error", b"Error", b"err", b"or", b"s", b"_", b" ", b":", b"\xc3\xa9"]), max_size=8)


@given(
    PIECES.map(b"".join),
    st.sets(st.integers(0, 30), max_size=4),
    st.booleans(),
    st.booleans(),
    st.lists(st.sampled_from([b"error", b"Error", b"or", b"rs"]), min_size=1, max_size=3),
)
def test_needles_when_a_text_comes_in_pieces_then_they_are_found_as_a_regular_expression_finds_them(
    text: bytes, cuts: set[int], ignore_case: bool, whole_words: bool, wanted: list[bytes]
) -> None:
    needles = Needles.of(wanted, ignore_case=ignore_case, whole_words=whole_words)
    edges = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    chunks = [text[begin:end] for begin, end in pairwise(edges)]
    ways = b"|".join(re.escape(each) for each in wanted)
    expected = re.search(rb"\b(?:%s)\b" % ways if whole_words else ways, text, re.IGNORECASE if ignore_case else 0)
    assert needles.occur_in_chunks(chunks) == bool(expected)
    assert needles.may_be_in(text) == bool(expected)


def test_needles_when_a_word_is_coloured_then_it_is_a_word() -> None:
    needles = Needles.of([b"error"], ignore_case=True, whole_words=True)
    assert needles.may_be_in(b"\x1b[1;31mError\x1b[0m: no such customer\n")
    assert not needles.may_be_in(b"\x1b[1;31mErrors\x1b[0m: 0\n")
