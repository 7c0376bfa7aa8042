"""Several counterfactuals per customer: each without the column that leads an earlier one."""

import numpy as np

from .counterfactuals import Found, Question, answer


def find_alternatives(question: Question, first: Found, count: int) -> list[Found]:
    """The first counterfactuals and up to `count` - 1 others.

    The column whose change takes most steps leads. It may not change in any later answer, so that no two are the same and a
    customer whom one column cannot reach is offered others. Who has no counterfactual left is not searched further.
    """
    steps = np.array([rule.step for rule in question.search.rules])
    found, barred = [first], np.zeros(first.change.shape, dtype=bool)
    while len(found) < count and found[-1].valid.any():
        last = found[-1]
        lead = np.argmax(np.abs(last.change) / steps, axis=1)
        barred[np.arange(len(barred)), lead] = True
        barred[~last.valid] = True
        found.append(answer(question, barred))
    return found
