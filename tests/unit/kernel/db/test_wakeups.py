"""Wake-up signals between processes of one machine."""

import asyncio
import os
from pathlib import Path

import pytest

from fastflow.kernel.db.wakeups import RUNNER_SOCKET, Signals, WakeupReceiver, WakeupSender


@pytest.fixture(params=["short", "long" * 40])
def run_dir(request: pytest.FixtureRequest, data_dir: Path) -> Path:
    """Also a path that is longer than a socket's address may be."""
    folder = data_dir / request.param
    folder.mkdir()
    return folder


async def test_message_when_sent_reaches_the_runner_and_every_web_process(run_dir: Path) -> None:
    heard: asyncio.Queue[tuple[str, str]] = asyncio.Queue()

    def hears(name: str) -> WakeupReceiver:
        return WakeupReceiver(run_dir, name, lambda message: heard.put_nowait((name, message)))

    receivers = [hears(name) for name in (RUNNER_SOCKET, "web-1.sock", "web-2.sock")]
    for receiver in receivers:
        await receiver.open()
    sender = WakeupSender(run_dir)
    sender.wake_runner("wake")
    sender.tell_web("run 1")
    async with asyncio.timeout(5):
        got = [await heard.get() for _ in range(3)]
    assert sorted(got) == [(RUNNER_SOCKET, "wake"), ("web-1.sock", "run 1"), ("web-2.sock", "run 1")]
    for receiver in receivers:
        await receiver.close()
        await receiver.close()
    sender.close()
    assert not os.listdir(run_dir)


async def test_message_when_nobody_listens_is_dropped_and_dead_sockets_removed(run_dir: Path) -> None:
    sender = WakeupSender(run_dir)
    sender.wake_runner("wake")
    sender.tell_web("run 1")
    killed = WakeupReceiver(run_dir, "web-9.sock", lambda _message: None)
    await killed.open()
    assert killed._socket is not None
    asyncio.get_running_loop().remove_reader(killed._socket)
    killed._socket.close()  # as a killed process leaves it: the file stays
    assert (run_dir / "web-9.sock").exists()
    sender.tell_web("run 1")
    assert not (run_dir / "web-9.sock").exists()
    sender.close()


async def test_message_when_the_buffer_is_full_is_dropped_without_waiting(run_dir: Path) -> None:
    receiver = WakeupReceiver(run_dir, RUNNER_SOCKET, lambda _message: None)
    await receiver.open()
    sender = WakeupSender(run_dir)
    for _ in range(5000):
        sender.wake_runner("wake")
    await receiver.close()
    sender.close()


async def test_signal_when_message_came_before_the_wait_is_not_missed() -> None:
    signals = Signals()
    signal, other = signals.expect("run 1"), signals.expect("run 2")
    signals.notify("run 1")
    assert await signal.wait(5) is True
    assert await signal.wait(0.01) is False
    assert await other.wait(0) is False
    signal.close()
    signal.close()
    other.close()
    signals.notify("run 1")
