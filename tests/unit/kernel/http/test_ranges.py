import pytest

from fastflow.kernel.http.ranges import attachment, parse_range


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("", None),
        ("bytes=0-", (0, 10)),
        ("bytes=0-0", (0, 1)),
        ("Bytes = 3 - 4", (3, 5)),
        ("bytes=9-100", (9, 10)),
        ("bytes=-3", (7, 10)),
        ("bytes=-30", (0, 10)),
        ("bytes=-0", "unsatisfiable"),
        ("bytes=10-", "unsatisfiable"),
        ("bytes=4-3", None),
        ("bytes=1-2,4-5", None),
        ("bytes=-", None),
        ("items=1-2", None),
        ("bytes=" + "9" * 40 + "-", None),
    ],
)
def test_range_when_asked_for_then_it_is_cut_to_what_there_is(header: str | None, expected: object) -> None:
    assert parse_range(header, lambda: 10) == expected


def test_attachment_when_the_name_is_a_trick_then_the_header_stays_whole() -> None:
    value = attachment('a"b\r\nX: y/ü.csv')
    assert value == "attachment; filename=\"a_b__X_ y__.csv\"; filename*=UTF-8''a%22b%0D%0AX%3A%20y%2F%C3%BC.csv"
