"""References into a flow: `extract.rows`, `extract.outputs.rows`, `extract.status`, `params.CITY`, `item`; and texts with
references in braces, such as `"s3://in/{extract.day}"`.
"""

import string
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from fastflow.kernel.flows.domain.expressions import MISSING
from fastflow.kernel.runs.domain.params import encode_value

PARAMS = "params"
ITEM = "item"
OWN_FACTS = ("status", "reason", "exit_code", "run_id")
"""Of an upstream's run; an output of such a name is reached by `NAME.outputs.status`."""

Resolve = Callable[[str], Any]


class ReferenceProblem(Exception):
    """A reference that leads nowhere, or a text that is no template; the message says which."""


def split_reference(text: str, upstreams: Collection[str]) -> tuple[str, tuple[str, ...]]:
    """What the reference begins with (an upstream's name, `params` or `item`), and the rest of its path.

    Names of pipelines may hold dots: the longest one that fits is meant.

    Raises:
        ReferenceProblem: it begins with nothing known.

    >>> split_reference("daily.v2.rows", ["daily", "daily.v2"])
    ('daily.v2', ('rows',))
    """
    known = [name for name in (*upstreams, PARAMS, ITEM) if text == name or text.startswith(f"{name}.")]
    if not known:
        begins = ", ".join((*upstreams, PARAMS))
        raise ReferenceProblem(f"{text!r} names no upstream; a reference begins with one of {begins}")
    head = max(known, key=len)
    rest = text[len(head) + 1 :]
    path = tuple(rest.split(".")) if rest else ()
    if not all(path):
        raise ReferenceProblem(f"{text!r} has an empty part")
    return head, path


def reference_problem(text: str, upstreams: Collection[str], *, has_item: bool = False) -> str | None:
    """What is wrong with a reference; None when nothing is."""
    try:
        head, path = split_reference(text, upstreams)
    except ReferenceProblem as error:
        return str(error)
    if head == ITEM:
        return None if has_item else "`item` is known in a step with foreach alone"
    if not path:
        named = "parameter" if head == PARAMS else "output"
        return f"{text!r} names no {named}: write {head}.NAME"
    return None


def follow(value: Any, path: Collection[str]) -> Any:
    """What stands at a path inside JSON: keys of objects, places of lists; MISSING when it leads nowhere.

    >>> follow({"files": [{"name": "a"}]}, ("files", "0", "name"))
    'a'
    """
    for part in path:
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif isinstance(value, list | tuple) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            return MISSING
    return value


def holes_in(value: Any) -> Iterator[str]:
    """The references in a parameter's value: of text those in braces, of tables and lists those inside.

    Raises:
        ReferenceProblem: a text is no template.
    """
    if isinstance(value, str):
        yield from (name for _, name in _parts(value) if name is not None)
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from holes_in(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from holes_in(inner)


def fill(value: Any, resolve: Resolve) -> Any:
    """The value with every reference replaced. A text that is one reference alone becomes what it stands for, number or
    list as it is; inside other text it is written out.

    Raises:
        ReferenceProblem: something referred to was not told.

    >>> fill("{extract.rows}", {"extract.rows": 3}.get), fill("n={extract.rows}", {"extract.rows": 3}.get)
    (3, 'n=3')
    """
    if isinstance(value, Mapping):
        return {name: fill(inner, resolve) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [fill(inner, resolve) for inner in value]
    if not isinstance(value, str):
        return value
    parts = list(_parts(value))
    if len(parts) == 1 and parts[0][0] == "" and parts[0][1] is not None:
        return _told(parts[0][1], resolve)
    return "".join(text + ("" if name is None else encode_value(_told(name, resolve))) for text, name in parts)


def _told(name: str, resolve: Resolve) -> Any:
    found = resolve(name)
    if found is MISSING:
        raise ReferenceProblem(f"{name} was not told")
    return found


def _parts(text: str) -> Iterator[tuple[str, str | None]]:
    try:
        for literal, name, form, conversion in string.Formatter().parse(text):
            if name is not None and (form or conversion or not name.strip()):
                raise ReferenceProblem(f"{text!r} is no template: write a reference in braces, such as {{extract.day}}")
            yield literal, None if name is None else name.strip()
    except ValueError as error:
        raise ReferenceProblem(f"{text!r} is no template: {error}; a brace itself is written twice") from error
