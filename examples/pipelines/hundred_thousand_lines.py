"""Prints 100,000 numbered lines as fast as it can, every thousandth on standard error, with a checksum at the end."""

import json
import sys
import zlib

LINES = 100_000

checksum = 0
for number in range(1, LINES + 1):
    line = f"line {number:06d} {number * number % 9973:04d} the quick brown fox jumps over the lazy dog\n"
    checksum = zlib.crc32(line.encode(), checksum)
    (sys.stderr if number % 1000 == 0 else sys.stdout).write(line)
    if number % 1000 in (0, 999):
        sys.stdout.flush()  # so that the two streams keep their order
    if number % 20_000 == 0:
        print("::fastflow::" + json.dumps({"progress": number / LINES, "step": f"{number:,} lines"}), flush=True)
print("::fastflow::" + json.dumps({"output": {"lines": LINES, "crc32": f"{checksum:08x}"}}), flush=True)
