"""Commands by the names that other tools give them: the error for such a word names ours."""

from collections.abc import Mapping
from typing import Any

from typer.core import TyperGroup
from typer.exceptions import TyperException

OURS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("remove", "delete", "del", "revoke"), ("rm",)),
    **dict.fromkeys(("create", "new"), ("add", "set", "create")),
    **dict.fromkeys(("get", "describe", "info"), ("show",)),
    "add": ("create", "set"),
    "ls": ("list",),
    "rm": ("cancel", "gc"),
}
"""What was typed -> the commands that may be meant; only those that the group has."""


class Nouns(TyperGroup):
    """A group of commands on one kind of thing."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command; for an unknown one the error says what it is called here."""
        try:
            return super().resolve_command(ctx, args)
        except TyperException as error:
            meant = [name for name in OURS.get(args[0], ()) if name in self.commands]
            if meant:  # better than words that only look alike
                said = error.message.partition(". Did you mean")[0].rstrip(".")
                error.message = f"{said}. Did you mean {' or '.join(map(repr, meant))}?"
            raise
