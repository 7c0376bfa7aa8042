"""Conditions over what upstream runs told, such as `extract.rows > 0 and extract.status == "SUCCESS"`.

A small language of our own: literals, references, comparisons, `in`, `and`, `or`, `not`, `len(...)`, parentheses and lists.
Nothing is called, imported or evaluated by Python. A reference begins with an upstream's name or with `params`; what the
upstream did not tell is missing: it equals null, and no other comparison with it holds.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

MAX_CONDITION = 1000
_MAX_DEPTH = 30
_TOKEN = re.compile(
    r"\s*(?:(?P<text>\"(?:[^\"\\]|\\.)*\"|'[^'\\]*')|(?P<sign>==|!=|<=|>=|<|>|\(|\)|\[|\]|,)|(?P<word>[A-Za-z0-9_.+-]+))"
)
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_COMPARISONS = ("==", "!=", "<", "<=", ">", ">=", "in")
_CONSTANTS: Final[Mapping[str, Any]] = {"true": True, "false": False, "null": None}
_WORDS = ("and", "or", "not", "in", "len", *_CONSTANTS)


class ConditionError(Exception):
    """The text is no condition; the message says where and why."""


@dataclass(frozen=True)
class Missing:
    """Stands for what was not told."""


MISSING = Missing()


@dataclass(frozen=True)
class Reference:
    """A dotted name: `extract.rows`, `params.CITY`."""

    text: str


@dataclass(frozen=True)
class Literal:
    """A value that stands in the text."""

    value: Any


@dataclass(frozen=True)
class Apply:
    """An operator and what it is applied to: a comparison, `and`, `or`, `not`, `len`, or `list`."""

    operator: str
    operands: tuple["Node", ...]


Node = Reference | Literal | Apply
Resolve = Callable[[str], Any]
"""Gives what a reference stands for, or MISSING."""


@dataclass(frozen=True)
class Outcome:
    """Whether a condition holds.

    Attributes:
        why: the condition with the values it was decided by, as a clause.
    """

    holds: bool
    why: str


def parse_condition(text: str) -> Node:
    """The condition.

    Raises:
        ConditionError: it is none.

    >>> parse_condition("extract.rows > 0")
    Apply(operator='>', operands=(Reference(text='extract.rows'), Literal(value=0)))
    """
    if len(text) > MAX_CONDITION:
        raise ConditionError(f"it has {len(text)} characters; at most {MAX_CONDITION} are allowed")
    parser = _Parser(text)
    node = parser.either(0)
    parser.end()
    return node


def references_in(node: Node) -> Iterator[str]:
    """Every reference, as often as it occurs."""
    if isinstance(node, Reference):
        yield node.text
    elif isinstance(node, Apply):
        for operand in node.operands:
            yield from references_in(operand)


def evaluate(text: str, resolve: Resolve) -> Outcome:
    """Whether the condition holds, and the values that decided. Never raises for what upstreams told.

    Args:
        text: as `parse_condition` takes it.
        resolve: gives values.

    >>> evaluate("extract.rows > 0", {"extract.rows": 0}.get)
    Outcome(holds=False, why='extract.rows > 0 does not hold: extract.rows is 0')
    """
    node = parse_condition(text)
    values = {name: resolve(name) for name in dict.fromkeys(references_in(node))}
    told = ", ".join(
        f"{name} {'was not told' if value is MISSING else f'is {_shown(value)}'}" for name, value in values.items()
    )
    try:
        holds = _truth(_value(node, values))
    except _NotComparableError as error:
        return Outcome(holds=False, why=f"{text} does not hold: {error}" + (f" ({told})" if told else ""))
    verb = "holds" if holds else "does not hold"
    return Outcome(holds=holds, why=f"{text} {verb}" + (f": {told}" if told else ""))


# --- reading ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    at: int


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._next = 0

    def either(self, depth: int) -> Node:
        return self._chain("or", self._both, depth)

    def _both(self, depth: int) -> Node:
        return self._chain("and", self._negated, depth)

    def _chain(self, word: str, inner: Callable[[int], Node], depth: int) -> Node:
        if depth > _MAX_DEPTH:
            raise ConditionError("it is nested too deeply")
        parts = [inner(depth)]
        while self._takes(word):
            parts.append(inner(depth))
        return parts[0] if len(parts) == 1 else Apply(word, tuple(parts))

    def _negated(self, depth: int) -> Node:
        if depth > _MAX_DEPTH:
            raise ConditionError("it is nested too deeply")
        if self._takes("not"):
            return Apply("not", (self._negated(depth + 1),))
        return self._comparison(depth)

    def _comparison(self, depth: int) -> Node:
        left = self._operand(depth)
        operator = self._operator()
        if operator is None:
            return left
        node = _apply(operator, left, self._operand(depth))
        if self._operator() is not None:
            raise ConditionError("comparisons cannot be chained: join them by `and`")
        return node

    def _operator(self) -> str | None:
        if self._takes("not"):
            if not self._takes("in"):
                raise ConditionError("`not` here must be followed by `in`")
            return "not in"
        return next((sign for sign in _COMPARISONS if self._takes(sign)), None)

    def _operand(self, depth: int) -> Node:
        if self._takes("("):
            node = self.either(depth + 1)
            self._expect(")")
            return node
        if self._takes("["):
            return Apply("list", tuple(self._items(depth)))
        if self._takes("len"):
            self._expect("(")
            node = self._operand(depth + 1)
            self._expect(")")
            return Apply("len", (node,))
        return self._single()

    def _items(self, depth: int) -> Iterator[Node]:
        while not self._takes("]"):
            yield self._operand(depth + 1)
            if not self._takes(","):
                self._expect("]")
                return

    def _single(self) -> Node:
        if self._next >= len(self._tokens):
            raise ConditionError("it ends where a value should stand")
        token = self._tokens[self._next]
        self._next += 1
        if token.kind == "text":
            return Literal(_unquoted(token))
        if token.kind == "word" and token.text in _CONSTANTS:
            return Literal(_CONSTANTS[token.text])
        if token.kind == "word" and _NUMBER.fullmatch(token.text):
            return Literal(float(token.text) if re.search(r"[.eE]", token.text) else int(token.text))
        if token.kind != "word" or token.text in _WORDS:
            raise ConditionError(f"{token.text!r} at place {token.at + 1} stands where a value should")
        return Reference(token.text)

    def _takes(self, text: str) -> bool:
        found = self._next < len(self._tokens) and self._tokens[self._next]
        if found and found.kind != "text" and found.text == text:
            self._next += 1
            return True
        return False

    def _expect(self, text: str) -> None:
        if not self._takes(text):
            raise ConditionError(f"{text!r} is missing{self._place()}")

    def end(self) -> None:
        if self._next < len(self._tokens):
            token = self._tokens[self._next]
            hint = "; compare by `==`" if token.text == "=" else ""
            raise ConditionError(f"{token.text!r} at place {token.at + 1} does not belong there{hint}")

    def _place(self) -> str:
        return f" before place {self._tokens[self._next].at + 1}" if self._next < len(self._tokens) else " at the end"


def _tokens(text: str) -> Iterator[_Token]:
    place = 0
    while text[place:].strip():
        match = _TOKEN.match(text, place)
        if match is None or match.lastgroup is None:
            at = place + len(text[place:]) - len(text[place:].lstrip())
            hint = "; compare by `==`" if text[at] == "=" else ""
            raise ConditionError(f"{text[at]!r} at place {at + 1} does not belong in a condition{hint}")
        yield _Token(match.lastgroup, match[match.lastgroup], match.start(match.lastgroup))
        place = match.end()


def _unquoted(token: _Token) -> str:
    if token.text[0] == "'":
        return token.text[1:-1]
    try:
        return str(json.loads(token.text))
    except ValueError as error:
        raise ConditionError(f"{token.text} at place {token.at + 1} is no text") from error


def _apply(operator: str, left: Node, right: Node) -> Node:
    if operator == "not in":
        return Apply("not", (Apply("in", (left, right)),))
    return Apply(operator, (left, right))


# --- deciding --------------------------------------------------------------------------------------------------------


class _NotComparableError(Exception):
    """Two values of which neither is more than the other."""


def _value(node: Node, values: Mapping[str, Any]) -> Any:
    if isinstance(node, Literal):
        return node.value
    if isinstance(node, Reference):
        return values[node.text]
    operands = node.operands
    if node.operator == "and":
        return all(_truth(_value(operand, values)) for operand in operands)
    if node.operator == "or":
        return any(_truth(_value(operand, values)) for operand in operands)
    if node.operator == "not":
        return not _truth(_value(operands[0], values))
    found = [_value(operand, values) for operand in operands]
    if node.operator == "list":
        return found
    if node.operator == "len":
        return _length(found[0])
    return _compare(node.operator, found[0], found[1])


def _truth(value: Any) -> bool:
    return value is not MISSING and bool(value)


def _length(value: Any) -> int:
    if not isinstance(value, str | Sequence | Mapping):
        raise _NotComparableError(f"{_shown(value)} has no length")
    return len(value)


def _compare(operator: str, left: Any, right: Any) -> bool:
    left, right = (None if side is MISSING else side for side in (left, right))
    if operator in ("==", "!="):
        return _same(left, right) == (operator == "==")
    if operator == "in":
        if isinstance(right, str) and isinstance(left, str):
            return left in right
        if not isinstance(right, list | tuple | Mapping):
            raise _NotComparableError(f"nothing can be in {_shown(right)}")
        return any(_same(left, item) for item in right)
    if not (_is_number(left) and _is_number(right)) and not (isinstance(left, str) and isinstance(right, str)):
        raise _NotComparableError(f"{_shown(left)} and {_shown(right)} cannot be compared by {operator}")
    less, equal = bool(left < right), bool(left == right)
    return {"<": less, "<=": less or equal, ">": not less and not equal, ">=": not less}[operator]


def _same(left: Any, right: Any) -> bool:
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    text = "null" if value is MISSING else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else f"{text[:77]}..."
