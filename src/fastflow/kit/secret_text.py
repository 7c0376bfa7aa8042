"""Text that must not be seen: passwords, tokens, secret values."""


class SecretText:
    """Holds text that prints as stars wherever it turns up: in logs, errors, representations of records.

    >>> f"{SecretText('hunter2')}"
    '********'
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself: to be handed on, never kept or printed."""
        return self._text

    def __str__(self) -> str:
        return "********"

    def __repr__(self) -> str:
        return "SecretText('********')"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretText) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> str:
        raise TypeError("a SecretText is not pickled")
