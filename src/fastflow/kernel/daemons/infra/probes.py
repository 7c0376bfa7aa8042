"""Asks an instance on this machine whether it is well."""

import asyncio
import contextlib

_TIMEOUT_SECONDS = 3.0
_HOST = "127.0.0.1"


class PortProbe:
    """See `ports.Probe`."""

    async def ask(self, port: int, health: str) -> bool:
        """See `Probe.ask`."""
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                reader, writer = await asyncio.open_connection(_HOST, port)
                try:
                    return health == "tcp" or await _is_well(reader, writer, health)
                finally:
                    writer.close()
                    with contextlib.suppress(OSError):
                        await writer.wait_closed()
        except (OSError, TimeoutError, ValueError):  # nobody listens, answers in time, or answers in lines
            return False


async def _is_well(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str) -> bool:
    writer.write(f"GET {path} HTTP/1.1\r\nHost: {_HOST}\r\nConnection: close\r\nAccept: */*\r\n\r\n".encode())
    await writer.drain()
    words = (await reader.readline()).split()
    return len(words) >= 2 and words[0].startswith(b"HTTP/") and words[1].isdigit() and int(words[1]) < 400
