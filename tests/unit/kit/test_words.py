from fastflow.kit.words import counted, did_you_mean


def test_did_you_mean_when_something_is_near_then_named() -> None:
    assert did_you_mean("timeot", ["timeout", "tags"]) == " Did you mean 'timeout'?"
    assert did_you_mean("zzz", ["timeout", "tags"]) == ""


def test_counted_when_there_is_one_then_singular() -> None:
    assert [counted(number, "run") for number in (0, 1, 2)] == ["0 runs", "1 run", "2 runs"]
