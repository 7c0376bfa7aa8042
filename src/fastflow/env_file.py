"""The file `.env`: what of it cannot be read is told, instead of being left out."""

from pathlib import Path

from dotenv.parser import parse_stream

from fastflow.kit.errors import InvalidInput


def refuse_unreadable_lines(path: Path) -> None:
    """Refuse a `.env` with lines that say nothing.

    Raises:
        InvalidInput: the file, or a line of it, cannot be read.
    """
    try:
        with path.open(encoding="utf-8") as file:
            wrong = [binding.original.line for binding in parse_stream(file) if binding.error]
    except FileNotFoundError:
        return
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(
            f"{path.absolute()} cannot be read: {error}.",
            code="invalid_setting",
            hint="Make it readable for this user and write it in UTF-8, or remove it.",
        ) from error
    if wrong:
        raise InvalidInput(
            f"{path.absolute()} has lines that cannot be read: {', '.join(map(str, wrong))}.",
            code="invalid_setting",
            hint="Write each line as NAME=value; a comment begins with #.",
            fields={f".env:{line}": "is not NAME=value" for line in wrong},
        )
