"""20,000 lines over two seconds, for many readers at once."""

import time

for block in range(200):
    for number in range(100):
        print(f"block {block} line {number} " + "y" * 60)
    time.sleep(0.01)
