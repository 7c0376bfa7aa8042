"""`python -I -S FOLDER COMMAND ORDER [WORD …]`: the ways into the sidecar; ORDER is a JSON object."""

import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))


def main():
    """Dispatch to enter, build, zygote, probe, contain or describe."""
    command, order = sys.argv[1], json.loads(sys.argv[2])
    if command == "enter":
        import sandbox

        sandbox.enter(order, sys.argv[3:])
    elif command == "build":
        import build

        sys.exit(build.main(order, sys.argv[3:]))
    elif command == "zygote":
        import zygote

        zygote.serve(order)
    elif command == "probe":
        import probe

        probe.main(order)
    elif command == "contain":
        import container

        container.main(order)
    elif command == "describe":
        import container

        container.describe()
    else:
        raise SystemExit("unknown command {!r}".format(command))


main()
