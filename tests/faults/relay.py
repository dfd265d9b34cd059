"""Carries bytes between clients and a service through this process, so that the network can be cut.

During a cut nothing is forwarded, not even the end of a connection; new connections get no answer; and
nothing is reset. Afterwards everything goes on. No special rights are needed, unlike with a firewall.
"""

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

HOST = "127.0.0.1"
_RESET_AT_CLOSE = struct.pack("ii", 1, 0)


class Relay:
    """One port of this machine that leads to a service.

    Parameters
    ----------
    target : callable
        Returns the service's port at the moment; it may not exist yet.
    """

    def __init__(self, target: Callable[[], int]) -> None:
        self.port = 0
        self._target = target
        self._whole = asyncio.Event()
        self._whole.set()

    async def listen(self) -> None:
        """Begin to accept connections, on a free port."""
        server = await asyncio.start_server(self._serve, HOST, 0)
        self.port = server.sockets[0].getsockname()[1]

    def cut(self) -> None:
        """Stop carrying."""
        self._whole.clear()

    def heal(self) -> None:
        """Carry again, first what has come meanwhile."""
        self._whole.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._whole.wait()
        try:
            far_reader, far_writer = await asyncio.open_connection(HOST, self._target())
        except (OSError, LookupError):
            line: socket.socket = writer.get_extra_info("socket")
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
            writer.transport.abort()
            return
        with suppress(asyncio.CancelledError):  # the relays end
            await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                await self._whole.wait()
                writer.write(data)
                await writer.drain()
        await self._whole.wait()
        writer.close()


class Relays:
    """All relays of one stack, by the name of the service; `running` starts them in a thread."""

    def __init__(self, targets: dict[str, Callable[[], int]]) -> None:
        self._targets = targets
        self._relays: dict[str, Relay] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._listening = threading.Event()

    @contextmanager
    def running(self) -> Iterator["Relays"]:
        """Carry until the context ends."""
        thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="relays", daemon=True)
        thread.start()
        try:
            if not self._listening.wait(40):
                raise RuntimeError("The relays did not start within 10 s")
            yield self
        finally:
            if self._loop:
                self._loop.call_soon_threadsafe(self._end.set)
            thread.join(5)

    def port(self, name: str) -> int:
        """Return the port that leads to a service."""
        return self._relays[name].port

    def cut(self) -> None:
        """Cut every relay."""
        self._everywhere(Relay.cut)

    def heal(self) -> None:
        """Let every relay carry again."""
        self._everywhere(Relay.heal)

    def _everywhere(self, do: Callable[[Relay], None]) -> None:
        assert self._loop is not None
        for relay in self._relays.values():
            self._loop.call_soon_threadsafe(do, relay)

    async def _run(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        self._relays = {name: Relay(target) for name, target in self._targets.items()}
        for relay in self._relays.values():
            await relay.listen()
        self._listening.set()
        await self._end.wait()
