"""The one exception of the method: data or configuration from which no honest result can be computed.

Raised by everything in this package; the pipelines' mains print it and end with exit code 2. It knows no server.
"""


class Refusal(Exception):
    """An experiment cannot be computed as asked; running it again unchanged cannot help.

    Args:
        problem: one sentence that names the column, field or month and what is wrong with it.
        remedy: one sentence that says what to do.
    """

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem} {remedy}")
        self.problem = problem
        self.remedy = remedy
