"""What the palette offers of files: those whose name or number is asked for, and taking a new one in."""

from collections.abc import Sequence

from fastflow.apps.churn.domain.files import IngestedFile
from fastflow.apps.churn.service.database import GUARDED_BY
from fastflow.apps.churn.service.files import Files
from fastflow.kit.identity import Actor, Role
from fastflow.ui.manifest import Finder, Found, fits
from fastflow.ui.texts import Data, Texts


def find_files(files: Files, path: str) -> Finder:
    """The group over files.

    Args:
        files: where they come from.
        path: of their pages.
    """

    def find(t: Texts, actor: Actor, wanted: str) -> Sequence[Found]:
        if not wanted.strip() or not actor.may_touch(GUARDED_BY):
            return []
        found = [_found(path, one) for one in files.list(actor=actor) if fits(f"{one.name} #{one.file_id}", wanted)]
        new = t("churn_files.new")
        if fits(f"{new} csv parquet", wanted) and actor.may_touch(GUARDED_BY, Role.OPERATOR):
            found.append(Found(label=new, note=t("churn_files.formats"), path=f"{path}/-/new"))
        return found

    return Finder(title="churn_files.title", find=find)


def _found(path: str, one: IngestedFile) -> Found:
    note = Data(f"#{one.file_id} · {one.first_month} – {one.last_month}")
    return Found(label=Data(one.name), note=note, path=f"{path}/{one.file_id}")
