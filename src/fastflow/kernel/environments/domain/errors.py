"""Errors of environments."""

from fastflow.kit.errors import FastFlowError, InvalidInput


class SetupFailed(FastFlowError):
    """The environment could not be made ready; becomes a FAILED run with reason `setup`. The message is uv's own text."""

    default_code = "setup_failed"
    default_hint = "Correct the pipeline's dependencies as the message says, and submit the run again."


class BadEnvironmentHash(InvalidInput):
    """The text is no environment hash."""

    default_code = "invalid_environment_hash"
    default_hint = "Take the hash as `GET /environments` returned it: 64 hexadecimal digits."
