"""Hands pages of other containers on to 127.0.0.1, where JupyterLab's proxy looks for them."""

import asyncio
from collections.abc import Callable
from contextlib import closing, suppress

from backstage.stack.site import HOST, Site

_PIECE = 65_536


async def forward(site: Site, name: str, say: Callable[[str], None]) -> None:
    """Hand connections to another container's port on to it, as long as this process lives.

    Parameters
    ----------
    site : Site
        Where the containers are.
    name : str
        The port, such as ``flower``.
    say : callable
        Shows a line, if the port is taken.
    """

    async def meet(near: asyncio.StreamReader, near_out: asyncio.StreamWriter) -> None:
        with closing(near_out), suppress(OSError):
            far, far_out = await asyncio.open_connection(site.hosts[name], site.ports[name])
            with closing(far_out):
                await asyncio.gather(_copy(near, far_out), _copy(far, near_out))

    try:
        await asyncio.start_server(meet, HOST, site.ports[name])
    except OSError as error:
        say(f"JupyterLab has no page of {name}: {error.strerror}")


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while piece := await source.read(_PIECE):
        target.write(piece)
        await target.drain()
    if target.can_write_eof():
        target.write_eof()
