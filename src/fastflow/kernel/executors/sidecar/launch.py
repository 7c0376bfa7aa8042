"""Starts the user's process under a small init, in namespaces as far as the plan says.

supervisor ── init (first process of the PID namespace; reaps, passes SIGTERM on) ── the user's process
Without a PID namespace the init is the tree's subreaper instead, so no descendant escapes it either way.
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

import resources
import sandbox
import syscalls
import user_main

OOM_SCORE = "500"
"""The kernel shall take the user's processes before the init, so that the end can be told."""
library_descriptors = frozenset()
"""Descriptors that preloaded libraries hold open; set by the zygote, kept open for the user's process."""


class StartError(Exception):
    """The user's process could not be started."""


class Process:
    """The started process as the supervisor sees it."""

    def __init__(self, init_pid, outputs, status_descriptor, isolation, has_pid_namespace):
        self.outputs = outputs
        self.status_descriptor = status_descriptor
        self.isolation = isolation
        self._init_pid = init_pid
        self._has_pid_namespace = has_pid_namespace

    def pids(self):
        """Ids of all living processes of the run."""
        return [self._init_pid] + resources.descendants(self._init_pid)

    def terminate(self):
        """SIGTERM to the whole tree (the init passes it on)."""
        self._signal(self._init_pid, signal.SIGTERM)

    def kill(self):
        """SIGKILL to the whole tree; the PID namespace dies with its init."""
        if self._has_pid_namespace:
            self._signal(self._init_pid, signal.SIGKILL)
            return
        for pid in resources.descendants(self._init_pid):
            self._signal(pid, signal.SIGKILL)

    def kill_rest(self):
        """After the user's process ended: nothing of the run stays behind."""
        for _ in range(100):
            rest = resources.descendants(os.getpid())
            if not rest:
                return
            for pid in rest:
                if pid != self._init_pid or not self._ends_by_itself():
                    self._signal(pid, signal.SIGKILL)
            while _reap():
                pass

    def _ends_by_itself(self):
        """The init exits right after it told the status; give it that moment."""
        deadline = time.monotonic() + 1.0
        while time.monotonic() < deadline:
            pid, _status = os.waitpid(self._init_pid, os.WNOHANG)
            if pid:
                return True
            os.sched_yield() if hasattr(os, "sched_yield") else None
        return False

    def take_status(self):
        """{"code", "cpu_seconds", "max_rss_bytes"}; a missing status means that the init itself was killed."""
        data = b""
        while True:
            piece = os.read(self.status_descriptor, 4096)
            if not piece:
                break
            data += piece
        return json.loads(data) if data else {"code": -signal.SIGKILL}

    def _signal(self, pid, number):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass  # it has ended by itself: just as well


def _reap():
    try:
        return os.waitpid(-1, os.WNOHANG)[0]
    except ChildProcessError:
        return 0


def start(spec, cgroup_descriptors, warm):
    """Start the user's process.

    Raises:
        StartError: with the step that failed.
    """
    plan = spec["plan"]
    out_read, out_write = os.pipe()
    err_read, err_write = os.pipe()
    status_read, status_write = os.pipe()
    report_read, report_write = os.pipe()
    alive_read, alive_write = os.pipe()
    syscalls.adopt_orphans()
    try:
        isolated = _leave_namespaces(spec, plan)
    except OSError as error:
        raise StartError("the run's namespaces could not be made: {}".format(error)) from error
    init_pid = os.fork()
    if init_pid == 0:
        os.close(alive_write)
        for descriptor in (out_read, err_read, status_read, report_read):
            os.close(descriptor)
        pipes = {"out": out_write, "err": err_write, "status": status_write, "report": report_write, "alive": alive_read}
        _init_main(spec, isolated, pipes, cgroup_descriptors, warm)  # never returns
    for descriptor in [out_write, err_write, status_write, report_write, alive_read] + list(cgroup_descriptors):
        os.close(descriptor)
    if isolated["user"]:
        syscalls.drop_capabilities()
    notes = _read_report(report_read, init_pid)
    return Process(
        init_pid,
        {"stdout": out_read, "stderr": err_read},
        status_read,
        _describe(spec, isolated, notes, warm),
        isolated["pid"],
    )


def _leave_namespaces(spec, plan):
    """The namespaces whose change takes effect for children; the init makes the mount namespace itself."""
    wanted = {
        "user": plan["user"],
        "pid": plan["pid"],
        "ipc": plan["ipc"],
        "network": plan["network"] and not spec["network"],
        "mount": plan["mount"],
    }
    flags = 0
    for name, flag in (
        ("user", syscalls.CLONE_NEWUSER),
        ("pid", syscalls.CLONE_NEWPID),
        ("ipc", syscalls.CLONE_NEWIPC),
        ("network", syscalls.CLONE_NEWNET),
    ):
        flags |= flag if wanted[name] else 0
    if flags:
        uid, gid = os.geteuid(), os.getegid()
        syscalls.unshare(flags)
        if wanted["user"]:
            syscalls.map_only_self(uid, gid)
    if not spec["network"] and not wanted["network"]:
        raise StartError("network = false, but this machine allows no network namespace to this user")
    return wanted


def _read_report(report_read, init_pid):
    data = b""
    while True:
        piece = os.read(report_read, 65536)
        if not piece:
            break
        data += piece
    os.close(report_read)
    notes = []
    for line in data.splitlines():
        told = json.loads(line)
        if "error" in told:
            os.waitpid(init_pid, 0)
            raise StartError(told["error"])
        notes.extend(told.get("notes", ()))
    return notes


def _describe(spec, isolated, notes, warm):
    found = {
        "user": os.geteuid(),
        "namespaces": [name for name in ("user", "mount", "pid", "ipc", "network") if isolated[name]],
        "read_only_root": isolated["mount"],
        "cgroup": (spec.get("cgroup_paths") or {}).get("version"),
        "network": spec["network"],
        "start": "warm" if warm else "cold",
    }
    if notes:
        found["notes"] = notes
    return found


def _init_main(spec, isolated, pipes, cgroup_descriptors, warm):
    code = 1
    try:
        os.set_inheritable(pipes["report"], False)
        try:
            main_pid = _init_setup(spec, isolated, pipes, cgroup_descriptors, warm)
        except BaseException as error:
            _report(pipes["report"], {"error": "the run could not be prepared: {}: {}".format(type(error).__name__, error)})
            os._exit(1)
        for name in ("out", "err", "report", "alive"):
            os.close(pipes[name])
        code = _init_loop(main_pid, isolated["pid"], pipes["status"])
    finally:
        os._exit(code)


def _init_setup(spec, isolated, pipes, cgroup_descriptors, warm):
    syscalls.die_with_parent()
    os.set_blocking(pipes["alive"], False)
    try:
        if os.read(pipes["alive"], 1) == b"":
            os._exit(1)  # the supervisor died before we could ask to die with it
    except BlockingIOError:
        pass  # it lives
    for descriptor in cgroup_descriptors:
        os.write(descriptor, b"0")
        os.close(descriptor)
    notes = []
    if isolated["mount"]:
        syscalls.unshare(syscalls.CLONE_NEWNS)
        view = spec["view"]
        notes = sandbox.View(
            hide=view["hide"], keep=view["keep"], read_only=True, tmp=view["tmp"], proc=isolated["pid"]
        ).apply()
    if isolated["user"]:
        syscalls.drop_capabilities()
    syscalls.forbid_new_privileges()
    if not isolated["pid"]:
        syscalls.adopt_orphans()
    if notes:
        _report(pipes["report"], {"notes": notes})
    _pass_sigterm_on(isolated["pid"])  # before the fork: a stop may come the moment the script is there
    main_pid = os.fork()
    if main_pid == 0:
        _user_main(spec, pipes, warm)  # never returns
    syscalls.set_dumpable(False)  # the user's process shall not be able to look into its init
    return main_pid


def _report(descriptor, message):
    os.write(descriptor, json.dumps(message).encode() + b"\n")


def _pass_sigterm_on(has_pid_namespace):
    def pass_on(number, _frame):
        for pid in [-1] if has_pid_namespace else resources.descendants(os.getpid()):
            _kill(pid, number)

    signal.signal(signal.SIGTERM, pass_on)


def _init_loop(main_pid, has_pid_namespace, status_descriptor):
    """Reap until the user's process has ended, then tell its status."""
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == main_pid:
            break
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    if not has_pid_namespace:
        while resources.descendants(os.getpid()):
            for pid in resources.descendants(os.getpid()):
                _kill(pid, signal.SIGKILL)
            while _reap():
                pass
    told = {
        "code": os.waitstatus_to_exitcode(status),
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "max_rss_bytes": usage.ru_maxrss * 1024,
    }
    os.write(status_descriptor, json.dumps(told).encode())
    return 0


def _kill(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass  # it has ended by itself


def _user_main(spec, pipes, warm):
    code = 1
    try:
        try:
            _prepare_user_process(spec, pipes)
            if not warm:
                argv = [spec["python"], os.path.join(os.path.dirname(os.path.abspath(__file__)), "user_main.py"), spec["script"]]
                os.execve(argv[0], argv, spec["env"])
        except BaseException as error:
            _report(pipes["report"], {"error": "{} could not be started: {}".format(spec["python"], error)})
            os._exit(1)
        code = _run_warm(spec, pipes["report"])
    finally:
        os._exit(code)


def _prepare_user_process(spec, pipes):
    os.setsid()
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(pipes["out"], 1)
    os.dup2(pipes["err"], 2)
    report = pipes["report"]
    keep = library_descriptors | {0, 1, 2, report}
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
