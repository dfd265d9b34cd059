"""Another container's port is reached at 127.0.0.1, in both directions, also if it was gone for a while."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from backstage.stack.forward import forward
from backstage.stack.site import HOST, Site

PIECES = 40
PIECE = b"x" * 100_000
NEIGHBOUR = (
    "127.0.0.2" if sys.platform == "linux" else "::1"
)  # macOS has one address of the kind of 127.0.0.1
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def answer_in_capitals(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> asyncio.Task[None]:
    async def answer() -> None:
        writer.write((await reader.read()).upper())
        await writer.drain()
        writer.close()

    return asyncio.ensure_future(answer())


def forwarding(talk: Callable[[int], Awaitable[None]]) -> None:
    """Run `talk` with a port at 127.0.0.1 that is forwarded to the same port of another address."""

    unheard: list[object] = []

    async def run() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: unheard.append(context))
        port = await _free_port()
        site = Site(Path(), {"flower": port}, "", {"flower": NEIGHBOUR})
        said: list[str] = []
        await forward(site, "flower", said.append)
        await forward(site, "flower", said.append)  # a port that is taken ends nothing
        assert [line.partition(":")[0] for line in said] == ["JupyterLab has no page of flower"]
        await asyncio.wait_for(talk(port), 20)

    asyncio.run(run())
    assert unheard == []


async def _free_port() -> int:
    async with await asyncio.start_server(lambda *_: None, HOST, 0) as server:
        return server.sockets[0].getsockname()[1]


async def connect(port: int) -> Streams:
    while True:
        with suppress(ConnectionRefusedError):
            return await asyncio.open_connection(HOST, port)
        await asyncio.sleep(0.01)


async def ask(port: int, question: bytes) -> bytes:
    reader, writer = await connect(port)
    with suppress(ConnectionResetError, BrokenPipeError):
        writer.write(question)
        await writer.drain()
        writer.write_eof()
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


def test_much_goes_there_and_back() -> None:
    async def talk(port: int) -> None:
        async with await asyncio.start_server(answer_in_capitals, NEIGHBOUR, port):
            assert await ask(port, PIECE * PIECES) == PIECE.upper() * PIECES

    forwarding(talk)


def test_a_neighbour_that_is_not_there_is_a_closed_connection() -> None:
    async def talk(port: int) -> None:
        assert await ask(port, b"anyone?") == b""
        async with await asyncio.start_server(answer_in_capitals, NEIGHBOUR, port):
            assert await ask(port, b"and now?") == b"AND NOW?"

    forwarding(talk)


def test_many_at_the_same_time() -> None:
    async def talk(port: int) -> None:
        async with await asyncio.start_server(answer_in_capitals, NEIGHBOUR, port):
            answers = await asyncio.gather(*(ask(port, f"no. {number}".encode()) for number in range(50)))
        assert answers == [f"NO. {number}".encode() for number in range(50)]

    forwarding(talk)
