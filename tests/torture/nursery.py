"""A process that has imported the product and forks its web and runner processes on request.

Starting Python and importing takes most of a restart; a few hundred restarts shall take a minute, not ten. What is forked
is the very `main` of `python -m fastflow.web` and `python -m fastflow.runner`. Orders come on stdin, one JSON list a line:
`["web", "--listen-fd", 5]`; the answer is `{"pid": 123, "ready": true}`.
"""

import json
import os
import signal
import sys


def main() -> None:
    """Fork on request until stdin closes."""
    from fastflow import runner, web
    from fastflow.bootstrap import build_product
    from fastflow.settings import load_settings

    product = build_product(load_settings())  # rooms are imported where they are assembled
    web.create_app(product)
    product.close()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    mains = {"web": web.main, "runner": runner.main}
    print(json.dumps({"pid": os.getpid(), "ready": True}), flush=True)
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(read)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.setsid()
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(2, 1)
            os.set_inheritable(write, True)
            code = 1
            try:
                code = mains[name]([*map(str, arguments), "--ready-fd", str(write)])
            finally:
                os._exit(code)
        os.close(write)
        said = b""
        while b'"ready"' not in said and (more := os.read(read, 4096)):
            said += more
        os.close(read)
        print(json.dumps({"pid": pid, "ready": b'"ready"' in said}), flush=True)


if __name__ == "__main__":
    main()
