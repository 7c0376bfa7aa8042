"""The report as a file."""

from functools import cache
from pathlib import Path
from typing import Literal

from fastflow.apps.churn.domain.findings import Findings
from fastflow.apps.churn.domain.provenance import Written
from fastflow.apps.churn.report.compose import compose
from fastflow.ui.reports.html import document
from fastflow.ui.reports.pdf import pdf
from fastflow.ui.texts import Catalogue

TEXTS = Path(__file__).parent / "texts.toml"
Form = Literal["html", "pdf"]
MEDIA_TYPES = {"html": "text/html; charset=utf-8", "pdf": "application/pdf"}


@cache
def _catalogue() -> Catalogue:
    return Catalogue([TEXTS])


def render(found: Findings, language: str, form: Form, written: Written) -> bytes:
    """The report in a language as one file that needs no other; equal findings, written alike, give equal bytes."""
    report = compose(_catalogue().texts(language), found, written)
    return pdf(report) if form == "pdf" else document(report).encode()
