"""Starts the user's process, in namespaces as far as the plan says.

The supervisor is born into the run's user, PID, IPC and network namespaces and is the PID namespace's first process: it
adopts every orphan of the run, and with it the whole tree dies. The mount namespace belongs to the user's process alone,
so the supervisor keeps sight of its control folder. Without a PID namespace the supervisor is the tree's subreaper.
"""

import atexit
import json
import os
import random
import resource
import signal
import sys
import tempfile
import threading
import time
import traceback

import landlock
import resources
import sandbox
import syscalls
import user_main

OOM_SCORE = "500"
"""The kernel shall take the user's processes before anything else, so that the end can be told."""
inherited_descriptors = frozenset()
"""Descriptors that preloaded libraries hold open; set by the zygote, kept open for the user's process."""


class StartError(Exception):
    """The user's process could not be started."""


class Process:
    """The started process as the supervisor sees it; the supervisor is its parent and its PID namespace's init."""

    def __init__(self, pid, outputs, isolation, has_pid_namespace):
        self.outputs = outputs
        self.isolation = isolation
        self._pid = pid
        self._has_pid_namespace = has_pid_namespace

    def pids(self):
        """Ids of all living processes of the run (as /proc outside the namespace counts them)."""
        return resources.descendants("self")

    def terminate(self):
        """SIGTERM to the whole tree."""
        self._signal_all(signal.SIGTERM)

    def kill(self):
        """SIGKILL to the whole tree."""
        self._signal_all(signal.SIGKILL)

    def _signal_all(self, number):
        # as init, -1 is everybody in the namespace but ourselves, also those who left the session
        for pid in [-1] if self._has_pid_namespace else resources.descendants("self"):
            _kill(pid, number)

    def reap(self):
        """Take in everybody who has ended; the status of the user's process when it is among them, else None."""
        found = None
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return found
            if pid == 0:
                return found
            if pid == self._pid:
                found = {
                    "code": os.waitstatus_to_exitcode(status),
                    "cpu_seconds": usage.ru_utime + usage.ru_stime,
                    "max_rss_bytes": usage.ru_maxrss * 1024,
                }

    def end_rest(self):
        """After the user's process ended: nothing of the run stays behind."""
        while True:
            self.kill()
            try:
                os.waitpid(-1, 0)
            except ChildProcessError:
                return


def _kill(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass  # it has ended by itself: just as well


def namespace_flags(plan, network):
    """The namespaces a supervisor is born into; the mount namespace is made later, by the user's process."""
    flags = 0
    for wanted, flag in (
        (plan["user"], syscalls.CLONE_NEWUSER),
        (plan["pid"], syscalls.CLONE_NEWPID),
        (plan["ipc"], syscalls.CLONE_NEWIPC),
        (plan["network"] and not network, syscalls.CLONE_NEWNET),
    ):
        flags |= flag if wanted else 0
    return flags


def start(spec, cgroup_descriptors, warm):
    """Start the user's process.

    Raises:
        StartError: with the step that failed.
    """
    plan = spec["plan"]
    if not spec["network"] and not plan["network"]:
        raise StartError("network = false, but this machine allows no network namespace to this user")
    out_read, out_write = os.pipe()
    err_read, err_write = os.pipe()
    report_read, report_write = os.pipe()
    if not plan["pid"]:
        syscalls.adopt_orphans()
    pid = os.fork()
    if pid == 0:
        pipes = {"out": out_write, "err": err_write, "report": report_write}
        _user_main(spec, pipes, cgroup_descriptors, warm)  # never returns
    for descriptor in [out_write, err_write, report_write] + list(cgroup_descriptors):
        os.close(descriptor)
    if plan["user"]:
        syscalls.drop_capabilities()
    syscalls.forbid_new_privileges()
    syscalls.set_dumpable(False)  # the user's process shall not be able to look into its supervisor
    notes = _read_report(report_read)
    return Process(pid, {"stdout": out_read, "stderr": err_read}, _describe(spec, plan, notes, warm), plan["pid"])


def _read_report(report_read):
    """What the user's process told before it became the script: it closes the pipe when it begins."""
    with os.fdopen(report_read, "rb") as file:
        lines = file.read().splitlines()
    notes = []
    for line in lines:
        told = json.loads(line)
        if "error" in told:
            os.waitpid(-1, 0)
            raise StartError(told["error"])
        notes.extend(told["notes"])
    return notes


def _describe(spec, plan, notes, warm):
    namespaces = [name for name in ("user", "mount", "pid", "ipc") if plan[name]]
    found = {
        "user": os.geteuid(),
        "namespaces": namespaces + ([] if spec["network"] else ["network"]),
        "files": "view" if plan["mount"] else ("landlock" if plan["landlock"] else "open"),
        "cgroup": (spec.get("cgroup_paths") or {}).get("version"),
        "network": spec["network"],
        "start": "warm" if warm else "cold",
    }
    if notes:
        found["notes"] = notes
    found.update(spec.get("isolation") or {})  # what whoever made the place for the run knows better
    return found


def _report(descriptor, message):
    os.write(descriptor, json.dumps(message).encode() + b"\n")


def _user_main(spec, pipes, cgroup_descriptors, warm):
    code = 1
    try:
        try:
            step = "the run could not be prepared"
            _confine(spec, pipes["report"], cgroup_descriptors)
            _prepare_user_process(spec, pipes)
            step = "{} could not be started".format(spec["python"])
            if not warm:
                sidecar = os.path.dirname(os.path.abspath(__file__))
                argv = [spec["python"], os.path.join(sidecar, "user_main.py"), spec["script"]]
                os.execve(argv[0], argv, spec["env"])
        except BaseException as error:
            _report(pipes["report"], {"error": "{}: {}".format(step, error)})
            os._exit(1)
        code = _run_warm(spec, pipes["report"])
    finally:
        os._exit(code)


def _confine(spec, report, cgroup_descriptors):
    """Join the control groups, make the view, give up every right."""
    plan = spec["plan"]
    if not plan["pid"]:
        syscalls.die_with_parent()
    for descriptor in cgroup_descriptors:
        os.write(descriptor, b"0")
    if plan["mount"]:
        syscalls.unshare(syscalls.CLONE_NEWNS)
        view = spec["view"]
        notes = sandbox.View(
            hide=view["hide"], keep=view["keep"], read_only=True, tmp=view["tmp"], proc=plan["pid"]
        ).apply()
        if notes:
            _report(report, {"notes": notes})
    elif plan["landlock"]:
        keep = spec["view"]["keep"]
        landlock.confine(
            readable=[path for path, writable in keep if not writable],
            writable=[path for path, writable in keep if writable] + [spec["view"]["tmp"]],
        )
    if plan["user"]:
        syscalls.drop_capabilities()
    syscalls.forbid_new_privileges()


def _prepare_user_process(spec, pipes):
    os.setsid()
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(pipes["out"], 1)
    os.dup2(pipes["err"], 2)
    report = pipes["report"]
    keep = inherited_descriptors | {0, 1, 2, report}
    for name in os.listdir("/proc/self/fd"):
        if int(name) not in keep:
            try:
                os.close(int(name))
            except OSError:
                pass  # the descriptor of the listing itself
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write(OOM_SCORE)
    except OSError:
        pass  # a read-only /proc: the kernel then chooses among init and script by size, which is the script
    _set_limits(spec["rlimits"])
    os.umask(0o022)
    os.chdir(spec["work_dir"])


def _set_limits(rlimits):
    for name, value in rlimits.items():
        number = getattr(resource, name)
        hard = resource.getrlimit(number)[1]
        wanted = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(number, (wanted, wanted))


def _run_warm(spec, report):
    """The user's script in this fork of the warm interpreter, with nothing left of what was before."""
    os.environ.clear()
    os.environ.update(spec["env"])
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)  # as a fresh interpreter has them
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    random.seed()
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed()
    tempfile.tempdir = None
    if "TZ" in spec["env"]:
        time.tzset()
    _forget_shadowed(spec["code_dir"])
    sys.path.insert(0, spec["code_dir"])
    os.close(report)
    code = user_main.run_script(spec["script"])
    try:
        threading._shutdown()
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        traceback.print_exc()
        return code or 120
    return code


def _forget_shadowed(code_dir):
    """Preloaded modules whose name the pipeline's own files take are loaded anew, from there."""
    own = {name.split(".")[0] for name in os.listdir(code_dir)}
    own -= set(sys.builtin_module_names)
    for name in list(sys.modules):
        if name.split(".")[0] in own and name != "__main__":
            del sys.modules[name]
