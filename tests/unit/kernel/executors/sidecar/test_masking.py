"""Secrets never get through, whatever the chunking and the encoding."""

import base64
import itertools
import re
import sys
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastflow.kernel.executors.sidecar as sidecar_package

sys.path.insert(0, str(Path(sidecar_package.__file__).parent))
import masking

sys.path.pop(0)

SECRETS = st.text(st.characters(blacklist_categories=["Cs"]), min_size=4, max_size=40)
CUTS = st.lists(st.integers(0, 400), max_size=12)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    marks = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    return [data[a:b] for a, b in itertools.pairwise(marks)]


def masked(secrets: list[str], chunks: list[bytes]) -> bytes:
    masker = masking.Masker(secrets)
    return b"".join([masker.feed(chunk) for chunk in chunks] + [masker.finish()])


@given(SECRETS, st.binary(max_size=60), st.binary(max_size=60), CUTS)
def test_masker_when_secret_is_cut_anywhere_then_never_given_out(
    secret: str, before: bytes, after: bytes, cuts: list[int]
) -> None:
    raw = secret.encode()
    out = masked([secret], pieces(before + raw + after, cuts))
    assert masking.MASK in out
    assert raw not in out.replace(masking.MASK, b"\0")


@given(st.lists(SECRETS, min_size=1, max_size=4), st.binary(max_size=300), CUTS)
def test_masker_when_chunked_differently_then_same_output(secrets: list[str], data: bytes, cuts: list[int]) -> None:
    assert masked(secrets, pieces(data, cuts)) == masked(secrets, [data])


@given(SECRETS, CUTS)
def test_masker_when_nothing_secret_then_bytes_unchanged(secret: str, cuts: list[int]) -> None:
    data = bytes(byte for byte in range(256) if byte not in b"*") * 2
    forms = masking.forms_of(secret)
    if not any(form in data for form in forms):
        assert masked([secret], pieces(data, cuts)) == data


@given(
    st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF), min_size=8, max_size=40),
    st.binary(max_size=7),
    st.binary(max_size=7),
)
def test_masker_when_base64_of_a_longer_text_then_the_secret_part_is_gone(
    secret: str, head: bytes, tail: bytes
) -> None:
    raw = secret.encode()
    text = base64.b64encode(head + raw + tail)
    core = text[-(-len(head) * 8 // 6) : (len(head) + len(raw)) * 8 // 6]
    out = masked([secret], [text])
    assert masking.MASK in out
    assert core not in out


@pytest.mark.parametrize(
    "encode",
    [
        quote,
        quote_plus,
        lambda s: quote(s, safe=""),
        lambda s: re.sub("%..", lambda found: found[0].lower(), quote(s, safe="")),
        lambda s: s.encode().hex(),
        lambda s: repr(s)[1:-1],
    ],
)
def test_masker_when_encoded_then_masked(encode: object) -> None:
    secret = "p@ss wörd/+=\n\"end'"
    out = masked([secret], [b"[" + encode(secret).encode() + b"]\n"])  # type: ignore[operator]
    assert out == b"[***]\n"


def test_masker_when_one_secret_begins_another_then_the_longer_is_masked_whole() -> None:
    assert masked(["abcd", "abcdefgh"], [b"x abcd", b"efgh y"]) == b"x *** y"


def test_masker_when_secrets_overlap_then_nothing_of_either_stays() -> None:
    assert masked(["xxab", "abcd"], [b"-xxabcd-\n"]) == b"-***-\n"


def test_masker_when_secret_has_lines_then_each_is_masked_alone_too() -> None:
    key = "-----BEGIN KEY-----\nMIIEowIBAAKCAQEA\nabcdefghijkl\n-----END KEY-----"
    assert masked([key], [b"1: MIIEowIBAAKCAQEA\n2: abcdefghijkl\n"]) == b"1: ***\n2: ***\n"


def test_masker_when_line_ends_then_nothing_is_held_back() -> None:
    masker = masking.Masker(["secret-value"])
    assert masker.feed(b"ends with secret-val\n") == b"ends with secret-val\n"
    assert masker.feed(b"ends with secret-val") == b"ends with "
