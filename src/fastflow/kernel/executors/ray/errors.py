"""What an agent may be answered. The agent (`node/uplink.py`) knows the codes."""

from fastflow.kit.errors import Conflict, InvalidInput, NotFound, TooLarge, Unauthenticated


class AttemptUnknown(NotFound):
    """There is no such attempt here any more: what its agent still has is of no use to anybody."""

    default_code = "attempt_unknown"
    default_hint = "The agent ends the script, if it runs, and leaves."


class AttemptOver(Conflict):
    """The attempt was ended, given up or replaced by another one."""

    default_code = "attempt_over"
    default_hint = "The agent ends the script, if it runs, and leaves."


class AttemptTokenInvalid(Unauthenticated):
    """The token is not the one of this attempt."""

    default_code = "attempt_token_invalid"
    default_hint = "Only the agent that the server started may speak for an attempt."


class OrderTaken(Conflict):
    """Somebody else has fetched the order of this attempt."""

    default_code = "order_taken"
    default_hint = "If it was none of the cluster's nodes, somebody reads along there: change what the run was given."


class WrongOffset(Conflict):
    """What was sent does not belong where the stream ends; `offset` in the answer says where that is."""

    default_code = "wrong_offset"
    default_hint = "Send what begins at the offset that the answer names."


class ArtifactRefused(InvalidInput):
    """The artifact cannot be kept: its path, its size or its checksum is not as it must be."""

    default_code = "artifact_refused"
    default_hint = "The message says what is wrong with it; the other artifacts are kept."


class ArtifactsTooLarge(TooLarge):
    """All artifacts of the run together exceed what is allowed."""

    default_code = "artifacts_too_large"
    default_hint = "Leave less behind, or raise RAY_ARTIFACTS_MAX_MB."
