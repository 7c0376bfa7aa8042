from fastflow.kernel.executors.docker.examining import unenforced_limits, unfit_because


def test_engine_when_rootless_then_unfit_in_words() -> None:
    assert "rootless" in (unfit_because({"SecurityOptions": ["name=seccomp", "name=rootless"]}) or "")


def test_engine_when_of_another_system_then_unfit_in_words() -> None:
    assert "windows" in (unfit_because({"OSType": "windows"}) or "")


def test_engine_when_ordinary_then_fit() -> None:
    assert unfit_because({"OSType": "linux", "SecurityOptions": ["name=seccomp"]}) is None


def test_limits_when_the_kernel_lacks_them_then_named() -> None:
    assert unenforced_limits({"MemoryLimit": False, "CpuCfsQuota": True, "PidsLimit": False}) == ("memory", "pids")
