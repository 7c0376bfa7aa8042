"""No pipeline drops out of a flow unnoticed because its settings have faults."""

import pytest

from fastflow.kernel.flows.domain.declared import judge_after
from fastflow.kernel.flows.domain.doubts import Graph, read_graph
from fastflow.kernel.pipelines.domain.faults import FaultList
from fastflow.kernel.pipelines.domain.pipeline import Pipeline
from fastflow.kernel.pipelines.domain.reading import read_pipeline
from fastflow.kernel.pipelines.domain.source import Source


class Texts(dict[str, str]):
    """Files by path."""

    @property
    def paths(self) -> list[str]:
        return list(self)

    def read(self, path: str) -> bytes:
        return self[path].encode()


def pipeline(name: str, toml: str = "", script: str = "") -> Pipeline:
    files = Texts({"main.py": script, "pipeline.toml": toml})
    source = Source(
        name=name, kind="folder", script="main.py", files=files, faults=FaultList(pipeline=name, prefix=f"{name}/")
    )
    return read_pipeline(source, server_python="3.12.0", judges=(judge_after,))


def graph(toml: str, script: str = "") -> Graph:
    sound = [pipeline("extract"), pipeline("clean", 'after = ["extract"]\n')]
    return read_graph([*sound, pipeline("report", toml, script)])


@pytest.mark.parametrize(
    ("toml", "why"),
    [
        ('[after]\npipelines = ["clean"]\nprams = { A = 1 }\n', "report/pipeline.toml:3: after.prams: is no key"),
        ('[after]\npipelnes = ["clean"]\n', "after.pipelines: is missing"),
        ('[[after]]\npipelines = ["clean"]\n', "there is one table"),
        ('after = "clean"\n', 'after = "clean" is neither a table nor a list'),
        ('afer = ["clean"]\n', "'afer' is no setting of a pipeline"),
        ('[params]\nDAY = "string"\nafter = ["clean"]\n', "The parameter 'after'"),
        ('tags = ["extract"\n\n[after]\npipelines = ["clean"]\n', "This is not valid TOML"),
        ('after = ["clean]\n', "This is not valid TOML"),
        ('after = ["claen"]\n', "after names 'claen', which is no pipeline. Did you mean 'clean'?"),
        ('after = ["clean", "gone_for_good"]\n', "after names 'gone_for_good', which is no pipeline"),
    ],
)
def test_after_when_faulty_then_the_step_keeps_its_likely_place_and_says_why(toml: str, why: str) -> None:
    found = graph(toml)
    after = found.afters["report"]
    assert (after.pipelines, found.warnings) == (("clean",), [])
    assert after.doubt is not None and why in after.doubt


def test_after_when_in_the_header_of_a_script_and_unreadable_then_found_as_well() -> None:
    script = '# /// script\n# [tool.fastflow]\n# after = ["clean"\n# ///\n# after = "extract"\n'
    assert graph("", script).afters["report"].pipelines == ("clean",)


@pytest.mark.parametrize("toml", ['after = ["gone_for_good"]\n', '[after\npipelines = ["gone_for_good"]\n'])
def test_after_when_nobody_can_tell_where_it_belongs_then_a_warning(toml: str) -> None:
    found = graph(toml)
    assert "report" not in found.afters
    assert found.warnings[0].startswith("report may belong to this flow and is not in it: ")


@pytest.mark.parametrize(
    "toml",
    [
        'tags = ["clean"\n',
        'timeout = "soon"\ntags = ["clean"]\n[params]\nlater = { type = "string", default = "clean" }\n',
        "",
    ],
)
def test_settings_when_their_faults_hide_no_after_then_no_flow_is_concerned(toml: str) -> None:
    found = graph(toml)
    assert ("report" in found.afters, found.warnings) == (False, [])


def test_guess_when_it_would_make_a_circle_then_it_is_none() -> None:
    broken = pipeline("extract", '[after]\npipelines = ["clean", "source"]\nx = 1\n')
    found = read_graph([broken, pipeline("clean", 'after = ["extract"]\n'), pipeline("source")])
    assert found.afters["extract"].pipelines == ("source",)
