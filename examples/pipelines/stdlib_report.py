"""What a run sees of the machine: interpreter, limits, folders and environment variables, and how fast it computes.

Standard library only: no environment has to be built for it. Useful as a first look at what isolation is in force.
"""

import json
import os
import platform
import resource
import sys
import time
import zlib
from decimal import Decimal, getcontext
from pathlib import Path

PI_50 = "3.14159265358979323846264338327950288419716939937510"  # https://oeis.org/A000796
PRIMES_BELOW_A_MILLION = 78_498  # https://oeis.org/A006880


def tell(**facts: object) -> None:
    """Tell Fast-Flow something: a line like this becomes an event of the run and stays out of its log."""
    print("::fastflow::" + json.dumps(facts), flush=True)


def count_primes(below: int) -> int:
    """How many primes are less than `below`, by the sieve of Eratosthenes."""
    sieve = bytearray([1]) * below
    sieve[:2] = b"\0\0"
    for number in range(2, int(below**0.5) + 1):
        if sieve[number]:
            sieve[number * number :: number] = bytes(len(range(number * number, below, number)))
    return sum(sieve)


def pi(digits: int) -> str:
    """Pi to `digits` decimals, cut off (Machin 1706: pi/4 = 4 arctan 1/5 - arctan 1/239)."""
    getcontext().prec = digits + 10

    def arctan_of_inverse(x: int) -> Decimal:
        term = total = Decimal(1) / x
        sign, divisor = -1, 3
        while abs(term) > Decimal(10) ** -(digits + 8):
            term /= x * x
            total += sign * term / divisor
            sign, divisor = -sign, divisor + 2
        return total

    return str(4 * (4 * arctan_of_inverse(5) - arctan_of_inverse(239)))[: digits + 2]


def writable(folder: str) -> str:
    """Whether a file can be made there."""
    probe = Path(folder) / f".probe-{os.getpid()}"
    try:
        probe.touch()
        probe.unlink()
    except OSError as error:
        return f"no ({error.strerror})"
    return "yes"


def limit(kind: int) -> str:
    """A resource limit in words."""
    soft, _hard = resource.getrlimit(kind)
    return "none" if soft == resource.RLIM_INFINITY else f"{soft:,}"


print(f"Python      {platform.python_version()} ({platform.python_implementation()}) in {sys.prefix}")
print(f"machine     {platform.system()} {platform.release()}, {len(os.sched_getaffinity(0))} processors to use")
print(f"user        uid {os.getuid()}, gid {os.getgid()}, process {os.getpid()}, session {os.getsid(0)}")
print(f"limits      memory {limit(resource.RLIMIT_AS)}, file size {limit(resource.RLIMIT_FSIZE)}, "
      f"open files {limit(resource.RLIMIT_NOFILE)}")  # fmt: skip
for folder in (os.getcwd(), os.environ.get("TMPDIR", "/tmp"), "/", os.environ.get("HOME", "/root")):
    print(f"may write   {folder}: {writable(folder)}")
print(f"variables   {' '.join(sorted(os.environ))}")
tell(progress=0.5, step="computing", total=2)

began = time.perf_counter()
checks = {
    "primes below 1,000,000": count_primes(1_000_000) == PRIMES_BELOW_A_MILLION,
    "50 decimals of pi": pi(50) == PI_50,
    "CRC-32 of '123456789'": zlib.crc32(b"123456789") == 0xCBF43926,
}
seconds = time.perf_counter() - began
print(f"\ncomputed in {seconds:.3f} s")
for name, correct in checks.items():
    print(f"  {'ok   ' if correct else 'WRONG'}  {name}")
tell(metric={"compute_seconds": round(seconds, 4)}, output={"all_correct": all(checks.values())})
if not all(checks.values()):
    sys.exit("This machine computes wrongly.")
