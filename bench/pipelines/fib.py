"""The light step of the well-known comparison: naive fib(10)."""


def fib(n: int) -> int:
    return n if n < 2 else fib(n - 1) + fib(n - 2)


print(fib(10))
