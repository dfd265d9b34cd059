"""PostGIS and RabbitMQ where other containers run them: watched here, and given what the course needs."""

import psycopg

from workshop.stack import rabbitmq
from workshop.stack.service import NotReady, Service
from workshop.stack.site import Site

_PATIENCE = 5


def _nothing(site: Site) -> list[str]:
    return []


def _probe_postgis(site: Site) -> None:
    try:
        psycopg.connect(site.database_url.replace("+psycopg", ""), connect_timeout=3).close()
    except psycopg.OperationalError as error:
        raise NotReady(str(error).strip()) from error


def _finish_postgis(site: Site) -> None:
    from workshop.stack.schema import create_schema  # takes two seconds to import, and only `up` needs it

    create_schema(site.database_url)


NEIGHBOURS = {
    "postgis": Service("postgis", _nothing, _probe_postgis, finish=_finish_postgis, patience=_PATIENCE),
    "rabbitmq": Service("rabbitmq", _nothing, rabbitmq.probe, finish=rabbitmq.finish, patience=_PATIENCE),
}
"""Services without a program of their own here."""
