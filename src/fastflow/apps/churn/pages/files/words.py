"""How files are told: their kind, their months, their place."""

from collections.abc import Mapping

from fastflow.apps.churn.domain.dictionary import ROLES
from fastflow.apps.churn.domain.files import IngestedFile
from fastflow.apps.churn.domain.month import Month, Window
from fastflow.apps.churn.errors import FileNotIngested
from fastflow.apps.churn.pages.experiments.words import read_number, window
from fastflow.apps.churn.pages.files.manifest import PATH
from fastflow.ui.shell.page import BASE
from fastflow.ui.texts import Data, Phrase, Texts


def kind(t: Texts, file: IngestedFile) -> Phrase:
    """What it is."""
    return t(f"churn_files.kind_{file.kind}")


def months(file: IngestedFile) -> Data:
    """From when to when."""
    return window(Window(Month.parse(file.first_month), Month.parse(file.last_month)))


def path_of(file_id: int) -> str:
    """Where its page is."""
    return f"{PATH}/{file_id}"


def trail(t: Texts) -> list[tuple[str, Phrase | Data]]:
    """The way to a page below the table's."""
    return [(BASE + PATH, t("churn_files.title"))]


def role_told(t: Texts, role: str) -> Phrase:
    """What a role of the dictionary means."""
    return t(f"churn_files.role_{role.lower()}")


def roles_in_words(t: Texts, problem: str) -> str:
    """A problem with a dictionary, its roles called as the page calls them."""
    for role in ROLES:
        problem = problem.replace(f"the role {role}", f"the role “{role_told(t, role)}”")
    return problem


def number_in(params: Mapping[str, str]) -> int:
    """The number in a page's path.

    Raises:
        FileNotIngested: it is none.
    """
    number = read_number(params["file_id"])
    if number is None:
        raise FileNotIngested("There is no such file.")
    return number
