"""Writes docs/reference/cli.md from the commands themselves; `--check` only tells whether it is current."""

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command

from fastflow.cli.app import app

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "cli.md"

_HEAD = """# Command line

<!-- Written by `make docs` from src/fastflow/cli. Do not edit. -->

Commands work on `DATA_DIR` of this machine, through the same API that the server has, inside their own process and with all
rights: whoever may open the data folder may do everything with it. With `FASTFLOW_URL` and `FASTFLOW_TOKEN` set they work on
that server instead, with the token's rights. Only `serve` and `pipelines check --pipelines` always work here.

- Every list and show command takes `--json`: the API's own answer. Tables are for people and may change.
- What a script may read stands alone on stdout (a token, a run's id, a log, a table); everything said about it goes to stderr.
- An error is a sentence, the fields concerned, and a hint, on stderr. Exit code 1, for wrong usage 2, and never a traceback
  unless `FASTFLOW_DEBUG=1`.
- Where a command takes a `RUN`: its id, the last 6 or more digits of it (as `runs list` shows them; when several runs end
  alike, all are named), `last` for the newest, or `last:PIPELINE` for the newest of a pipeline.
- What a server or folder does not have is told with the place that was asked; a pipeline that only this machine has, with the
  way back to it. Hints name commands, whatever the API calls the same thing.
- A table is coloured on a terminal; elsewhere its columns are aligned, whole, and without colours.

## Exit codes of `fastflow run`

| code | the run |
|---|---|
| 0 | succeeded |
| the script's own; 128 + N when signal N ended it | failed (`exit`) |
| 124 | took longer than it may (`timeout`) |
| 125 | could not be set up, or was lost (`setup`, `lost`) |
| 130 | was cancelled (`cancelled`), by Ctrl-C or by somebody else |
| 137 | used more memory than it may (`oom`) |

What the script wrote comes out byte by byte, standard output on stdout and standard error on stderr. Lines of Fast-Flow's own
begin with `[fastflow]` and go to stderr, but for the note on a `::fastflow::` line that cannot be read, which stands below
that line.

## Exit codes of `fastflow serve`

0 after SIGTERM, SIGINT or SIGHUP; 78 when the configuration is at fault (a service manager need not start it again); 1 for
everything else that keeps it from working.
"""


def page() -> str:
    """The whole page."""
    return _HEAD + "".join(_sections(get_command(app), "fastflow"))


def _sections(command: Any, path: str) -> Iterator[str]:
    if path != "fastflow":
        yield _section(command, path)
    for name, inner in getattr(command, "commands", {}).items():
        yield from _sections(inner, f"{path} {name}")  # hidden ones too: they are kept out of the way, not secret


def _section(command: Any, path: str) -> str:
    level = "##" if path.count(" ") == 1 else "###"
    text = inspect.cleandoc(command.help or "")
    if getattr(command, "commands", None):
        return f"\n{level} `{path}`\n\n{text}\n"
    rows = [_row(param) for param in command.params if param.name != "help"]
    table = "\n| | |\n|---|---|\n" + "\n".join(rows) + "\n" if rows else ""
    return f"\n{level} `{_usage(command, path)}`\n\n{text}\n{table}"


def _usage(command: Any, path: str) -> str:
    arguments = [_metavar(param) for param in command.params if param.param_type_name == "argument"]
    return " ".join([path, *arguments])


def _metavar(param: Any) -> str:
    name = str(param.metavar or param.name.upper())
    return name if param.required or name.startswith("[") else f"[{name}]"


def _row(param: Any) -> str:
    if param.param_type_name == "argument":
        return f"| `{_metavar(param)}` | {_sentence(param)} |"
    takes = "" if param.is_flag else f" {param.metavar or _type_word(param)}"
    names = ", ".join(f"`{name}{takes}`" for name in sorted(param.opts, key=len, reverse=True))
    return f"| {names} | {_sentence(param)} |"


def _type_word(param: Any) -> str:
    return str(param.name).upper()


def _sentence(param: Any) -> str:
    text = str(param.help or "").replace("|", "\\|")
    is_told = param.default not in (None, False) and not callable(param.default) and not param.required
    return f"{text} Default: `{param.default}`." if is_told else text


def main() -> int:
    """Write the page, or with `--check` answer 1 when it is out of date."""
    if "--check" in sys.argv[1:]:
        return 0 if PAGE.exists() and PAGE.read_text() == page() else 1
    PAGE.write_text(page())
    print(f"{PAGE.name}: {page().count(chr(10) + '##')} sections")
    return 0


if __name__ == "__main__":
    sys.exit(main())
