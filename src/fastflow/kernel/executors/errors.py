"""Errors of launching; what a run does once it runs is data (`Exit`), never an exception."""

from fastflow.kit.errors import FastFlowError


class LaunchFailed(FastFlowError):
    """The run could not be started; becomes FAILED with reason `setup`."""

    default_code = "launch_failed"
    default_hint = "See the run's reason; `fastflow doctor` tells what the machine lacks."
