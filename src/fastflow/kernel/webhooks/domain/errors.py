"""Errors of the webhooks room."""

from collections.abc import Mapping

from fastflow.kit.errors import CapacityExceeded, InvalidInput, NotFound, Unauthenticated
from fastflow.kit.words import in_a_sentence


class WebhookNotFound(NotFound):
    """No webhook answers there; which part of the address is wrong is not told."""

    default_code = "webhook_not_found"
    default_hint = "Check the address as it was shown when the webhook was made, and that the webhook is switched on."

    def __init__(self, field: str = "webhook_id") -> None:
        super().__init__("There is no such webhook.", fields={field: "no webhook answers to it"})


class Unanswered(WebhookNotFound):
    """Looks to the caller as if there were nothing; the owner is told why."""

    default_code = "webhook_not_found"

    def __init__(self, why: str) -> None:
        super().__init__("key")
        self.why = why


class InvalidWebhook(InvalidInput):
    """A webhook that cannot be kept."""

    default_code = "invalid_webhook"
    default_hint = "Correct the named fields; the page on webhooks says what each takes."

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__(f"The webhook is not valid: {in_a_sentence(problems)}", fields=problems)


class SignatureRefused(Unauthenticated):
    """The call is not signed as the webhook wants it."""

    default_code = "webhook_signature"
    default_hint = "Sign the very bytes of the body with the webhook's secret, in the scheme it was made with."


class CallTooOld(Unauthenticated):
    """The signed time of the call lies too far from now."""

    default_code = "webhook_too_old"
    default_hint = "Send calls when they are made, and set the clocks of both machines by NTP."


class MappingFailed(InvalidInput):
    """The body does not hold what the webhook makes parameters of."""

    default_code = "webhook_mapping"
    default_hint = (
        "Send what the webhook's mapping names, or change the mapping; a pointer that ends in ? may be missing."
    )


class TooManyCalls(CapacityExceeded):
    """More calls than the webhook takes in a minute."""

    default_code = "webhook_rate"
    default_hint = "Call less often, or raise the webhook's rate_per_minute."
