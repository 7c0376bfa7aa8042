"""What the doctor's page shows: the server's parts as they are now, and what `fastflow doctor` finds on its machine.

The checks of the machine run as that command, in a process of their own: they open what they check, and the server goes on.
"""

import asyncio
import json
import os
import sys
from collections.abc import Sequence

from fastflow import findings
from fastflow.bootstrap import Product
from fastflow.findings import judge_part
from fastflow.kernel.http.probing import Looks
from fastflow.kit.errors import Unavailable
from fastflow.probes import build_probes
from fastflow.ui.rooms.doctor.finding import Finding

_SECONDS = 120.0
_NOT_OURS = ("FASTFLOW_URL", "FASTFLOW_TOKEN")
"""With them the command would ask a server, not look at the machine."""


class Diagnosis:
    """Looks at a server and its machine.

    Args:
        product: what is looked at.
    """

    def __init__(self, product: Product) -> None:
        self._product = product
        self._looks: Looks | None = None

    async def look_at_parts(self) -> Sequence[Finding]:
        """The parts of this server as they are now, in the words of `fastflow doctor`."""
        if self._looks is None:
            self._looks = Looks(build_probes(self._product))
        parts = await self._looks.look()
        return [_on_page(found) for name, part in parts.items() for found in judge_part(name, part)]

    async def examine(self) -> Sequence[Finding]:
        """What the checks of the machine find; takes seconds.

        Raises:
            Unavailable: they could not be run.
        """
        environment = {name: value for name, value in os.environ.items() if name not in _NOT_OURS}  # noqa: TID251 - handed on
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "fastflow", "doctor", "--json"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment,
        )
        try:
            async with asyncio.timeout(_SECONDS):
                told, said = await child.communicate()
        except TimeoutError as error:
            raise _failed(f"They took longer than {_SECONDS:g} s.") from error
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
        return read_findings(told, said)


def read_findings(told: bytes, said: bytes) -> Sequence[Finding]:
    """What `fastflow doctor --json` printed.

    Raises:
        Unavailable: it printed something else.
    """
    try:
        checks = json.loads(told)["checks"]
        return [Finding(**{name: check[name] for name in ("name", "level", "text", "remedy")}) for check in checks]
    except (ValueError, KeyError, TypeError) as error:
        lines = said.decode("utf-8", "replace").strip().splitlines()
        raise _failed(lines[-1] if lines else "They said nothing.") from error


def _failed(why: str) -> Unavailable:
    return Unavailable(
        f"The checks of the machine could not be run. {why}",
        code="doctor_failed",
        hint="Run `fastflow doctor` on the server's machine: it says more.",
    )


def _on_page(found: findings.Finding) -> Finding:
    return Finding(name=found.name, level=found.level, text=found.text, remedy=found.remedy)
