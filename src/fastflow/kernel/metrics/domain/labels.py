"""Which pipelines appear under their own name: the first so many that ever ended a run, and the rest together."""

from collections.abc import Callable, Mapping

OTHER = "_other"
"""Stands for every pipeline that has no label of its own."""


class PipelineLabels:
    """Labels for pipelines' names; the same name keeps its label for as long as the limit is not lowered.

    A pipeline's place is that of its first ended run and is kept in the database, so a series never moves between its own
    name and `_other`, which would look like a counter that was reset. A pipeline without a place takes the next free one.

    Args:
        places: name -> place, counted from 0.
        most: how many have a label of their own.
        may_see: whether the caller may see the pipeline.

    >>> labels = PipelineLabels({"a": 0, "b": 1, "c": 2}, most=2, may_see=lambda name: name != "b")
    >>> [labels.of(name) for name in "abc"]
    ['a', None, '_other']
    """

    def __init__(self, places: Mapping[str, int], *, most: int, may_see: Callable[[str], bool]) -> None:
        self._places = dict(places)
        self._next = max(self._places.values(), default=-1) + 1
        self._most = most
        self._may_see = may_see

    def of(self, pipeline_name: str) -> str | None:
        """The label; None: what is of this pipeline is not for the caller."""
        place = self._places.get(pipeline_name)
        if place is None:
            place = self._places[pipeline_name] = self._next
            self._next += 1
        if not self._may_see(pipeline_name):
            return None
        return pipeline_name if place < self._most else OTHER
