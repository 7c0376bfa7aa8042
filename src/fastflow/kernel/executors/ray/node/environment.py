"""The interpreter a script runs on: the node's own, or an environment made here from its lock, once for all runs.

Built aside by uv under a lock of its own and renamed into place, as on the server. As root, uv acts as a user of its own
that runs are not, and nothing that it starts outlives it (`build.py`).
"""

import fcntl
import json
import os
import select
import signal
import sys
import time

import nodehome

# `hashlib`, `shutil`, `subprocess` and the like are imported where they are needed: a run on the node's own Python, and
# each that finds its environment there, should not wait for them.

LOCK_NAME = ".fastflow-lock.txt"
TICK_SECONDS = 0.5
KEPT_CHARS = 4000
_UV_PLACES = ("/usr/local/bin/uv", "/usr/bin/uv", "~/.local/bin/uv", "~/.cargo/bin/uv")
_INHERITED = (
    "PATH", "HOME", "LANG", "LC_ALL", "TZ", "NETRC", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE",
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy",
)  # fmt: skip
_NOT_INHERITED = ("UV_CACHE_DIR", "UV_PROJECT", "UV_PROJECT_ENVIRONMENT", "UV_PYTHON")
_VERSION = "import platform, sys; print(sys.implementation.name + '-' + platform.python_version())"


class SetupError(Exception):
    """The environment cannot be made; str() says why, in uv's own words where they are its."""


class Interpreter:
    """What a script runs on.

    Attributes:
        python: path of its executable.
        version: implementation and version.
        environment: folder of the environment it belongs to; None: it is the node's own.
    """

    def __init__(self, python, version, environment=None):
        self.python = python
        self.version = version
        self.environment = environment


class Workshop:
    """Makes environments on this node.

    Args:
        home: the node's folder.
        fetch_uv: writes the server's uv into an open file.
        say: takes each line uv writes.
        tick: called every half second; raises to call the work off.
        link_mode: how files come out of uv's cache; see `UvBuilder` of the server.
    """

    def __init__(self, home, fetch_uv, say, tick, link_mode):
        self._home = home
        self._fetch_uv = fetch_uv
        self._say = say
        self._tick = tick
        self._link_mode = link_mode
        self._uv = None
        self._env = {}

    def interpreter(self, given, recipe, code_dir):
        """What the script runs on.

        Args:
            given: an interpreter's path, or None.
            recipe: what the environment is made of; None: the node's own Python will do.
            code_dir: the pipeline's code.

        Raises SetupError.
        """
        if given is not None:
            if not os.access(given, os.X_OK):
                raise SetupError("{} could not be started: there is no such program on this node".format(given))
            return Interpreter(given, "")
        if recipe is None:
            return own_interpreter()
        if recipe["platform"] != this_platform() and recipe["lock"].strip():
            raise SetupError(
                "the environment was locked for {}, but this node is {}".format(recipe["platform"], this_platform())
            )
        self._uv = self._find_uv(recipe["uv"])
        self._env = self._variables(recipe["variables"])
        base = self._find_python(recipe["python"])
        import hashlib

        parts = [recipe["hash"], base.version, this_platform(), os.path.realpath(base.python)]
        name = hashlib.sha256("\0".join(parts).encode()).hexdigest()
        return self._made(name, base, recipe, code_dir)

    # -- an environment --------------------------------------------------------------------------------------------

    def _made(self, name, base, recipe, code_dir):
        target = self._home.at("envs", name)
        found = self._take(target, base)
        if found is not None:
            return found
        with open(self._home.at("build", name + ".lock"), "w") as lock:
            self._wait_for(lock)
            found = self._take(target, base)
            if found is None:
                self._build(target, name, base, recipe, code_dir)
                found = self._take(target, base)
        if found is None:
            raise SetupError("the environment vanished as soon as it was built")
        return found

    def _take(self, target, base):
        """The environment, from now on held; None when it is not there."""
        try:
            nodehome.hold(target, shared=True)
            os.utime(target)
        except (FileNotFoundError, BlockingIOError):
            return None  # not built, or being removed
        return Interpreter(os.path.join(target, "bin", "python"), base.version, target)

    def _wait_for(self, lock):
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                self._tick()  # who waits in the kernel could neither show what is built nor hear that nobody wants it
                time.sleep(TICK_SECONDS)

    def _build(self, target, name, base, recipe, code_dir):
        import shutil

        place = self._home.at("build", "{}-{}".format(name[:16], os.getpid()))
        os.mkdir(place, 0o755)
        nodehome.hold(place)
        try:
            self._populate(place, recipe, code_dir)
            folder = os.path.join(place, ".environment")
            self._run_uv(place, "venv", "--no-project", "--relocatable", "--quiet", "--python", base.python, folder)
            if recipe["lock"].strip():
                python = os.path.join(folder, "bin", "python")
                how = ("--compile-bytecode", "--link-mode", self._link_mode)
                self._run_uv(place, "pip", "sync", "--python", python, *(how + (LOCK_NAME,)))
            os.rename(folder, target)
        except OSError as error:
            raise SetupError("the environment could not be written on this node: {}".format(error)) from error
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def _populate(self, place, recipe, code_dir):
        import shutil

        if recipe["needs_code"]:
            shutil.copytree(code_dir, place, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
        for path, text in recipe["files"].items():
            target = os.path.join(place, path)
            if path == "uv.toml" and not text and _has_settings(place):
                continue  # an empty one would hide the code's own
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open(target, "w", encoding="utf-8", errors="surrogateescape") as file:
                file.write(text)
        with open(os.path.join(place, LOCK_NAME), "w") as file:
            file.write("\n".join(recipe["index_options"] + [recipe["lock"]]))
        builder = self._home.builder
        if builder is not None:
            for root, folders, files in os.walk(place):
                for path in [root] + [os.path.join(root, entry) for entry in folders + files]:
                    os.chown(path, builder, builder, follow_symlinks=False)

    # -- interpreters ------------------------------------------------------------------------------------------------

    def _find_python(self, request):
        own = own_interpreter()
        if request is None or "{}.".format(own.version.partition("-")[2]).startswith(request + "."):
            return own
        find = ("python", "find", "--system", "--no-project", "--", request)
        try:
            path = self._run_uv("/", *find)
        except SetupError as not_here:
            try:
                self._run_uv("/", "python", "install", "--no-bin", "--", request)
            except SetupError as not_there:
                text = "Python {} is not on this node and could not be downloaded.\n{}\n{}"
                raise SetupError(text.format(request, not_here, not_there)) from not_there
            path = self._run_uv("/", *find)
        path = os.path.realpath(path.strip())
        return Interpreter(path, self._run([path, "-I", "-c", _VERSION], "/").strip())

    # -- uv ----------------------------------------------------------------------------------------------------------

    def _find_uv(self, wanted):
        """The server's uv, fetched once: what it locked, it installs. On a machine of another kind the node's own."""
        tool = self._home.at("tools", "uv-{}".format(wanted["sha256"][:16]))
        if os.access(tool, os.X_OK):
            return tool
        if wanted["platform"] == this_platform():
            self._fetch(tool, wanted["sha256"])
            return tool
        import shutil

        found = shutil.which("uv") or next(
            (path for path in map(os.path.expanduser, _UV_PLACES) if os.access(path, os.X_OK)), None
        )
        if found is None:
            raise SetupError(
                "this node ({}) has no uv, and the server's is for {}".format(this_platform(), wanted["platform"])
            )
        return os.path.realpath(found)

    def _fetch(self, tool, sha256):
        import hashlib

        fresh = "{}.{}".format(tool, os.getpid())
        try:
            with open(fresh, "w+b") as file:
                self._fetch_uv(file)
                file.seek(0)
                digest = hashlib.sha256()
                for piece in iter(lambda: file.read(1 << 20), b""):
                    digest.update(piece)
            if digest.hexdigest() != sha256:
                raise SetupError("uv arrived damaged from the server")
            os.chmod(fresh, 0o755)
            os.rename(fresh, tool)
        except OSError as error:
            raise SetupError("uv could not be written on this node: {}".format(error)) from error
        finally:
            if os.path.exists(fresh):
                os.unlink(fresh)

    def _variables(self, given):
        """What uv is told: this node's ways out, the server's indexes, our folders."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if name in _INHERITED or (name.startswith("UV_") and name not in _NOT_INHERITED)
        }
        ours = {
            "UV_CACHE_DIR": self._home.at("uv_cache"),
            "UV_PYTHON_INSTALL_DIR": self._home.at("python"),
            "UV_NO_PROGRESS": "1",
            "NO_COLOR": "1",
        }
        return dict(given, **dict(kept, **ours))

    def _run_uv(self, place, *arguments):
        return self._run([self._uv] + list(arguments), place)

    def _run(self, argv, place):
        """The command's stdout; its stderr goes to `say` line by line.

        Raises SetupError with its own words.
        """
        import subprocess

        builder, base = self._home.builder, nodehome.base_python()
        order = {
            "uid": builder,
            "gid": builder,
            "reach": [nodehome.SIDECAR, self._home.path, nodehome.prefix_of(base)] + _folders_of(argv[0]),
            "argv": [],
            "env": None,
        }
        process = subprocess.Popen(
            [base, "-I", "-S", nodehome.SIDECAR, "build", json.dumps(order)] + argv,
            cwd=place,
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            out, told = self._follow(process, place)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            process.stdout.close()
            process.stderr.close()
        if process.returncode != 0:
            text = "\n".join(told).strip()[-KEPT_CHARS:]
            raise SetupError(text or "{} ended with {} and said nothing".format(argv[0], process.returncode))
        return out

    def _follow(self, process, place):
        buffers = {process.stdout.fileno(): b"", process.stderr.fileno(): b""}
        told, open_pipes = [], set(buffers)
        while open_pipes:
            ready, _, _ = select.select(list(open_pipes), [], [], TICK_SECONDS)
            for descriptor in ready:
                data = os.read(descriptor, 1 << 16)
                if not data:
                    open_pipes.discard(descriptor)
                buffers[descriptor] += data
            lines = buffers[process.stderr.fileno()].split(b"\n")
            buffers[process.stderr.fileno()] = lines.pop()
            for line in lines:
                text = line.decode("utf-8", "replace").rstrip().replace("file://{}/".format(place), "")
                told.append(text.replace("{}/".format(place), "") if len(place) > 1 else text)
                self._say(told[-1])
            self._tick()
        process.wait()
        return buffers[process.stdout.fileno()].decode("utf-8", "replace"), told


def _folders_of(program):
    """What must be reachable for a program to start: its folder, and the installation it belongs to."""
    folder = os.path.dirname(program)
    return [folder, os.path.dirname(folder)] if os.path.basename(folder) == "bin" else [folder]


def _has_settings(place):
    if os.path.exists(os.path.join(place, "uv.toml")):
        return True
    try:
        with open(os.path.join(place, "pyproject.toml"), encoding="utf-8", errors="replace") as file:
            return "[tool.uv" in file.read()
    except FileNotFoundError:
        return False


def own_interpreter():
    """The node's own Python: the one that Ray runs on, without a virtual environment around it."""
    version = "{}-{}".format(sys.implementation.name, sys.version.split()[0])
    return Interpreter(nodehome.base_python(), version)


def this_platform():
    """Operating system, machine and C library, such as `linux-x86_64-glibc`."""
    import platform
    import sysconfig

    return "{}-{}".format(sysconfig.get_platform(), platform.libc_ver()[0] or "musl")
