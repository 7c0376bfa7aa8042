"""`python -m fastflow` is the `fastflow` command."""

from fastflow.cli import main

if __name__ == "__main__":
    main()
