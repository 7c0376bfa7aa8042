"""Runs the user's script as `__main__`: in a fresh interpreter (`python user_main.py`) or in a fork of a warm one."""

import os
import sys
import types


def run_script(script):
    """Execute the script as `__main__`; returns the exit code that a plain `python script` would have."""
    path = os.path.abspath(script)
    module = types.ModuleType("__main__")
    module.__file__ = path
    module.__builtins__ = __builtins__
    sys.modules["__main__"] = module
    sys.argv = [path]
    sys.path[0] = os.path.dirname(path)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)
    try:
        with open(path, "rb") as file:
            source = file.read()
        exec(compile(source, path, "exec"), module.__dict__)
    except SystemExit as stop:
        return _code_of(stop.code)
    except BaseException:
        kind, error, trace = sys.exc_info()
        error.__traceback__ = trace.tb_next  # our own frame is not the user's business
        sys.excepthook(kind, error, trace.tb_next)
        return 130 if kind is KeyboardInterrupt else 1
    return 0


def _code_of(code):
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    sys.stderr.write("{}\n".format(code))
    return 1


if __name__ == "__main__":
    sys.exit(run_script(sys.argv[1]))
