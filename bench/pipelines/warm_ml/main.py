"""First line as early as possible; the imports are what the zygote has behind it."""

import time

import pandas  # noqa: F401
import sklearn.ensemble  # noqa: F401

print(time.time_ns())
