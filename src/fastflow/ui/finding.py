"""What the palette offers for some words: asked of every room, as the reader. Rooms bring it in their manifests."""

import logging
from collections.abc import Sequence
from typing import Any

from fastflow.kit.errors import FastFlowError
from fastflow.kit.identity import Actor
from fastflow.ui.manifest import Finder, Manifest
from fastflow.ui.texts import Texts

_log = logging.getLogger("fastflow.ui")
MOST = 8
"""Of a group; whoever wants others types more."""


def find(manifests: Sequence[Manifest], t: Texts, actor: Actor, wanted: str) -> list[dict[str, Any]]:
    """The groups, in the order of the navigation; what is empty is left out."""
    ordered = sorted(manifests, key=lambda each: min((entry.order for entry in each.nav), default=0))
    groups = [_group(finder, t, actor, wanted) for manifest in ordered for finder in manifest.finders]
    return [group for group in groups if group["items"]]


def _group(finder: Finder, t: Texts, actor: Actor, wanted: str) -> dict[str, Any]:
    try:
        found = finder.find(t, actor, wanted)[:MOST]
    except FastFlowError as error:  # the other groups are worth having
        _log.warning("ui.not_found", extra={"fields": {"group": finder.title, "error": error.message}})
        found = []
    items = [{"label": each.label, "note": each.note, "path": each.path, "call": each.call} for each in found]
    return {"title": t(finder.title), "items": items}
