"""Every 10 ms a line with the instant it was printed."""

import time

for _ in range(300):
    print(time.time_ns(), flush=True)
    time.sleep(0.01)
