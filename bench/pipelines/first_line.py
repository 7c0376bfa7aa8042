"""Standard library only: prints the instant of its first line."""

import time

print(time.time_ns())
