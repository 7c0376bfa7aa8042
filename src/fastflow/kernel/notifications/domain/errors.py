"""Errors of the notifications room."""

from collections.abc import Mapping

from fastflow.kit.errors import Conflict, InvalidInput, NotFound, Unavailable
from fastflow.kit.words import in_a_sentence


class ChannelNotFound(NotFound):
    """No channel has this name."""

    default_code = "channel_not_found"
    default_hint = "`GET /channels` shows the channels there are."

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no channel {name[:80]!r}.", fields={"name": "does not exist"})


class ChannelExists(Conflict):
    """The name is taken."""

    default_code = "channel_exists"
    default_hint = "Choose another name, or change the channel that has it."


class ChannelInUse(Conflict):
    """Rules send to the channel."""

    default_code = "channel_in_use"
    default_hint = "Remove or change the rules first, or delete the channel with `force`: they then reach nobody."


class InvalidChannel(InvalidInput):
    """A channel that cannot be kept: an address nobody can send to, quiet hours that are none."""

    default_code = "invalid_channel"
    default_hint = (
        "Correct the named fields; addresses are written as Apprise URLs, such as mailto://user:password@example.org."
    )

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__(f"The channel is not valid: {in_a_sentence(problems)}", fields=problems)


class InvalidRule(InvalidInput):
    """A rule that cannot be kept."""

    default_code = "invalid_alert_rule"
    default_hint = "Correct the named fields; the page on alerts says what each event takes."

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__(f"The rule is not valid: {in_a_sentence(problems)}", fields=problems)


class RuleNotFound(NotFound):
    """No rule has this id."""

    default_code = "alert_rule_not_found"
    default_hint = "`GET /alerts/rules` shows the rules there are."

    def __init__(self, rule_id: str) -> None:
        super().__init__(f"There is no rule {rule_id}.")


class RuleNameTaken(Conflict):
    """The pipeline has a rule of that name."""

    default_code = "alert_rule_name_taken"
    default_hint = "Choose another name, or change the rule that has it."


class RuleDeclared(Conflict):
    """The rule is declared in the pipeline's code, which alone may change it."""

    default_code = "alert_rule_declared"
    default_hint = "Change it in the pipeline's settings."


class AlertNotFound(NotFound):
    """No alert has this id."""

    default_code = "alert_not_found"
    default_hint = "`GET /alerts` shows the alerts there are."

    def __init__(self, alert_id: str) -> None:
        super().__init__(f"There is no alert {alert_id}.")


class AddressesUnreadable(Unavailable):
    """The addresses were encrypted with a key that is not there."""

    default_code = "channel_unreadable"
    default_hint = "Give ENCRYPTION_KEY the key they were encrypted with, or give the channel its addresses anew."
