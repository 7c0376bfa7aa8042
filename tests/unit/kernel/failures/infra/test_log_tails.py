from pathlib import Path

from fastflow.kernel.failures.infra.log_tails import LogTails

AT = "2026-11-21T04:35:18.123456789Z"


def write(folder: Path, *lines: str) -> LogTails:
    (folder / "r.log").write_text("".join(f"{AT} {line}\n" for line in lines))
    return LogTails(folder)


def test_tail_when_read_then_errors_come_first_and_our_own_lines_are_left_out(tmp_path: Path) -> None:
    tails = write(
        tmp_path,
        "stdout F hello",
        "stderr P Key",
        "stdout F between",
        "stderr F Error: x",
        "stderr F [fastflow] stopped",
    )
    assert tails.read("r") == ["KeyError: x"]


def test_tail_when_nothing_is_on_stderr_then_all_it_wrote_counts(tmp_path: Path) -> None:
    assert write(tmp_path, "stdout F a", "stdout F b").read("r") == ["a", "b"]


def test_tail_when_the_log_is_long_then_its_end_is_read(tmp_path: Path) -> None:
    lines = write(tmp_path, *(f"stderr F line {number}" for number in range(5000))).read("r")
    assert lines[-1] == "line 4999" and 500 < len(lines) < 2000


def test_tail_when_the_log_is_gone_then_nothing_is_told(tmp_path: Path) -> None:
    assert LogTails(tmp_path).read("r") == ()
