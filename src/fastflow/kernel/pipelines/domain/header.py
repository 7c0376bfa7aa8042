"""The PEP 723 block at the head of a script. Source: packaging.python.org, "Inline script metadata"."""

import re
from dataclasses import dataclass

from fastflow.kernel.pipelines.domain.faults import FaultList
from fastflow.kernel.pipelines.domain.toml_text import TomlText, parse_toml

_BLOCK = re.compile(r"(?m)^# /// (?P<type>[a-zA-Z0-9-]+)[ \t]*$\s(?P<content>(^#(| .*)$\s)+)^# ///[ \t]*$")
_OPENING = re.compile(r"(?m)^# /// script[ \t]*$")


@dataclass(frozen=True)
class Header:
    """The block.

    Attributes:
        block: its text with comment marks and fences, as it stands in the file.
        toml: its content.
    """

    block: str
    toml: TomlText


def read_header(source: str, file: str, faults: FaultList) -> Header | None:
    """The script's block; None when it has none or a broken one, which is noted as a fault."""
    text = source.replace("\r\n", "\n")
    if "# /// script" not in text:
        return None
    blocks = [match for match in _BLOCK.finditer(text) if match["type"] == "script"]
    if not blocks:
        opening = _OPENING.search(text)
        if opening is not None:
            faults.error(
                file,
                "The PEP 723 block is not closed.",
                "End it with a line `# ///`; every line between starts with `# ` or is a lone `#`.",
                line=_line(text, opening.start()),
            )
        return None
    if len(blocks) > 1:
        faults.error(
            file,
            "There are two PEP 723 blocks of type script; only one is allowed.",
            "Put all dependencies into one block.",
            line=_line(text, blocks[1].start()),
        )
        return None
    block = blocks[0]
    content = "\n".join(line[2:] if line.startswith("# ") else line[1:] for line in block["content"].splitlines())
    toml = parse_toml(content, file, faults, first_line=_line(text, block.start()) + 1)
    return None if toml is None else Header(block=block[0] + "\n", toml=toml)


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1
