"""The folder that this product has on a node, whoever runs there, and what is in it.

runs/<run>.<attempt>/   log, control folder, work folder and artifacts of an attempt; locked while its agent lives
envs/<hash>/            environments, built once; locked (shared) while a run uses them
build/ uv_cache/ python/ tools/   what uv works with
"""

import errno
import fcntl
import json
import os
import pwd
import stat
import sys
import time

import sandbox

# What only the first run on a node, or a run's end, needs is imported there: every run waits for what stands here.

SIDECAR = os.path.dirname(os.path.abspath(__file__))
NOBODY_FROM, NOBODY_TO = 64_000, 64_900
"""Where unused user ids are looked for, from the top."""
SWEEP_EVERY = 3600.0
_PROBE_SECONDS = 60


class HomeError(Exception):
    """The node has no place for us; str() is the reason."""


class Home:
    """This node's folder.

    Args:
        path: where it is; None: in /var/tmp, one for each user that Ray runs as.

    Attributes:
        runner, builder: ids of whom scripts act as and of whom environments are built by; None: as whoever Ray runs as.
    """

    def __init__(self, path):
        self.path = path or "/var/tmp/fastflow-{}".format(os.geteuid())
        self.runner = self.builder = None
        if os.geteuid() == 0:
            taken = {entry.pw_uid for entry in pwd.getpwall()}
            free = (number for number in range(NOBODY_TO, NOBODY_FROM, -1) if number not in taken)
            self.runner, self.builder = next(free), next(free)

    def open(self):
        """Make the folder and what is in it.

        Raises HomeError.
        """
        try:
            self._make()
        except OSError as error:
            raise HomeError("{} cannot be used on this node: {}".format(self.path, error)) from error

    def _make(self):
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        try:
            os.mkdir(self.path, 0o711)
        except FileExistsError:
            pass
        found = os.lstat(self.path)
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
            raise HomeError("{} belongs to somebody else, or others may write to it".format(self.path))
        for name in ("runs", "envs", "build", "tools"):
            _make_folder(self.at(name), 0o711 if name == "runs" else 0o755)
        for name in ("uv_cache", "python"):
            _make_folder(self.at(name), 0o755)
            if self.builder is not None and os.stat(self.at(name)).st_uid != self.builder:
                os.chown(self.at(name), self.builder, self.builder)

    def at(self, *names):
        """A path below."""
        return os.path.join(self.path, *names)

    # -- an attempt ------------------------------------------------------------------------------------------------

    def make_attempt(self, name):
        """The folder of an attempt, held by us from now on: its path.

        Raises HomeError.
        """
        folder = self.at("runs", name)
        try:
            os.mkdir(folder, 0o755)
            hold(folder)
            for place in ("ctl", "work", "tmp", "artifacts"):
                os.mkdir(os.path.join(folder, place), 0o700)
                if self.runner is not None:
                    os.chown(os.path.join(folder, place), self.runner, self.runner)
        except OSError as error:
            raise HomeError("{} cannot be made on this node: {}".format(folder, error)) from error
        return folder

    def remove_attempt(self, folder):
        """Remove it, whatever modes the script has left in it."""
        import shutil

        for _ in range(3):
            shutil.rmtree(folder, onerror=_open_up)
            if not os.path.exists(folder):
                return

    # -- what this node allows ---------------------------------------------------------------------------------------

    def probe(self):
        """Which namespaces scripts can have here; found out once for each boot and user."""
        with open("/proc/sys/kernel/random/boot_id") as file:
            boot = file.read().strip()
        known = self.at("probe-{}-{}.json".format(boot[:8], self.runner if self.runner is not None else os.geteuid()))
        try:
            with open(known) as file:
                return json.load(file)
        except (FileNotFoundError, ValueError):
            pass
        import shutil

        tmp = self.at("build", "probe-{}".format(os.getpid()))
        os.mkdir(tmp, 0o700)
        try:
            if self.runner is not None:
                os.chown(tmp, self.runner, self.runner)
            plan = self._ask_probe(tmp)
        finally:
            shutil.rmtree(tmp, ignore_errors=True)
        plan.pop("why")
        fresh = "{}.{}".format(known, os.getpid())
        with open(fresh, "w") as file:
            json.dump(plan, file)
        os.rename(fresh, known)
        return plan

    def _ask_probe(self, tmp):
        import subprocess

        python = base_python()
        argv = [python, "-I", "-S", SIDECAR, "probe", json.dumps({"tmp": tmp})]
        if self.runner is not None:
            order = {
                "uid": self.runner,
                "gid": self.runner,
                "reach": [SIDECAR, self.path, prefix_of(python)],
                "argv": argv,
                "env": {},
            }
            argv = [python, "-I", "-S", SIDECAR, "enter", json.dumps(order)]
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PROBE_SECONDS, cwd="/")
        if done.returncode != 0:
            words = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or ["no message"]
            raise HomeError("what isolation this node allows cannot be found out: {}".format(words[0]))
        return json.loads(done.stdout)

    # -- tidying -------------------------------------------------------------------------------------------------------

    def sweep(self, environment_days):
        """Once in a while: remove what dead agents left, and environments that were unused for so long."""
        mark = self.at("swept")
        try:
            if time.time() - os.stat(mark).st_mtime < SWEEP_EVERY:
                return
        except FileNotFoundError:
            pass
        with open(mark, "w"):
            os.utime(mark)
        before = time.time() - environment_days * 86400
        for name in os.listdir(self.at("runs")):
            self._remove_unheld(self.at("runs", name), None)
        for name in os.listdir(self.at("envs")):
            self._remove_unheld(self.at("envs", name), before)
        for name in os.listdir(self.at("build")):
            if not name.endswith(".lock"):
                self._remove_unheld(self.at("build", name), time.time() - 86400)

    def _remove_unheld(self, folder, before):
        try:
            if before is not None and os.stat(folder).st_mtime >= before:
                return
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return  # gone meanwhile
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            aside = self.at("build", "gone-{}-{}".format(os.getpid(), os.path.basename(folder)))
            os.rename(folder, aside)  # nobody begins to use it while it is being removed
            self.remove_attempt(aside)
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.ENOENT, errno.EACCES, errno.EPERM):
                raise
        finally:
            os.close(descriptor)


def hold(folder, shared=False):
    """Lock the folder for as long as this process, or a child of it, lives.

    Raises OSError when it is gone or somebody else holds it.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    here, there = os.fstat(descriptor), os.stat(folder)
    if (here.st_dev, here.st_ino) != (there.st_dev, there.st_ino):
        os.close(descriptor)
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), folder)
    return descriptor


def base_python():
    """The interpreter that this process runs on, outside any virtual environment."""
    return os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)


def prefix_of(python):
    """The folder of the installation that `python`, possibly a link in an environment, really is."""
    return os.path.dirname(os.path.dirname(os.path.realpath(python)))


def reachable(paths, uid):
    """In a private mount namespace: make the paths reachable for the user, whatever folders lie on the way."""
    hide = sandbox.unreachable_ancestors(paths, uid)
    if hide:
        sandbox.View(hide=hide, keep=[(path, True) for path in paths]).apply()


def _make_folder(path, mode):
    try:
        os.mkdir(path, mode)
        os.chmod(path, mode)  # whatever the umask
    except FileExistsError:
        pass


def _open_up(_function, path, _error):
    """The script is over: nobody puts links in our way any more."""
    for place in (os.path.dirname(path), path):
        if os.path.lexists(place) and not os.path.islink(place):
            os.chmod(place, 0o700)
    try:
        os.unlink(path)
    except OSError:
        pass  # a folder, which the next round removes
