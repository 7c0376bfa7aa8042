"""1,000,000 lines of 100 bytes, newline included."""

line = "x" * 99
for _ in range(1_000_000):
    print(line)
