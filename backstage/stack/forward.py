"""What other containers run. PostGIS and RabbitMQ are watched here, and given what the course needs.

Flower's and RabbitMQ's pages are handed on to 127.0.0.1, where JupyterLab's proxy looks for them.
"""

import asyncio
from contextlib import closing, suppress

import psycopg

from backstage.stack import rabbitmq
from backstage.stack.service import Service
from backstage.stack.site import HOST, Site

_PATIENCE = 5
_PIECE = 65_536


def _nothing(site: Site) -> list[str]:
    return []


def _probe_postgis(site: Site) -> None:
    psycopg.connect(site.database_url.replace("+psycopg", ""), connect_timeout=3).close()


def _finish_postgis(site: Site) -> None:
    from backstage.stack.schema import create_schema  # takes two seconds to import, and only `up` needs it

    create_schema(site.database_url)


WATCHED = {
    "postgis": Service("postgis", _nothing, _probe_postgis, finish=_finish_postgis, patience=_PATIENCE),
    "rabbitmq": Service("rabbitmq", _nothing, rabbitmq.probe, finish=rabbitmq.finish, patience=_PATIENCE),
}
"""Services without a program of their own here."""


async def forward(site: Site, name: str) -> None:
    """Hand connections to a neighbour's port on to it, until this is cancelled.

    Parameters
    ----------
    site : Site
        Where the neighbours are.
    name : str
        The port, such as ``flower``.
    """

    async def meet(near: asyncio.StreamReader, near_out: asyncio.StreamWriter) -> None:
        with closing(near_out), suppress(OSError):
            far, far_out = await asyncio.open_connection(site.hosts[name], site.ports[name])
            with closing(far_out):
                await asyncio.gather(_copy(near, far_out), _copy(far, near_out))

    async with await asyncio.start_server(meet, HOST, site.ports[name]) as server:
        await server.serve_forever()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while piece := await source.read(_PIECE):
        target.write(piece)
        await target.drain()
    if target.can_write_eof():
        target.write_eof()
