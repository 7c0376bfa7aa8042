"""What `fastflow doctor` says of the container engine."""

from fastflow.findings import NO_IMAGE, Finding
from fastflow.settings import Settings
from fastflow.terms import executor_settings

_NAME = "containers"
REFUSED = (
    "A gate before the engine must know this image, DATA_DIR's folder and the network (`fastflow engine-gate --help`); the "
    "engine must see the folder, under the name DOCKER_DATA_DIR where that is another."
)


def check_engine(settings: Settings) -> Finding:
    """The engine at DOCKER_HOST: a fault only where runs go into containers unless they say otherwise."""
    from fastflow.kernel.executors.docker.examining import examine  # loads the engine's part

    is_needed = settings.executor == "docker"
    found = examine(executor_settings(settings))
    if found.why is not None:
        return Finding(
            name=_NAME,
            level="fault" if is_needed else "note",
            text=found.why if is_needed else f"not available, and only needed for runs in containers: {found.why}",
            remedy="Start the engine, let the server's user reach DOCKER_HOST, or set EXECUTOR=process."
            if is_needed
            else "",
        )
    text = f"engine {found.version} at {settings.docker_host}"
    if not found.has_image:
        return Finding(
            name=_NAME,
            level="warning" if is_needed else "note",
            text=f"{text}, without the image {settings.worker_base_image}",
            remedy=NO_IMAGE if is_needed else "",
        )
    text += f", image {settings.worker_base_image}"
    if found.refusal is not None:
        return Finding(
            name=_NAME,
            level="fault" if is_needed else "note",
            text=f"{text}; no run could start: {found.refusal}",
            remedy=REFUSED if is_needed else "",
        )
    if found.limits:
        return Finding(
            name=_NAME,
            level="warning",
            text=f"{text}; limits it cannot enforce: {', '.join(found.limits)}",
            remedy="Its kernel lacks the control groups: `docker info` names them.",
        )
    return Finding(name=_NAME, level="ok", text=text)
