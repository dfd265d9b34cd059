"""Machines' accounts at a central, made by hand, with the rights that a central gives."""

import json
import urllib.request
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from tests.integration.machine import Machine
from workshop.classroom.card import Card, machine_called, new_password

COLUMNS = {
    "grid_squares": "task_id, grid_ref, style_cat, x, y, geom, worker, attempt",
    "task_log": "task_id, state, attempt, error, worker, countdown",
}


def invite(central: Machine, number: int) -> Card:
    """Make the accounts of a machine, and return its card."""
    stack, name, password = central.stack(), machine_called(number), new_password()
    _broker_account(central, name, password)
    for table in COLUMNS:
        central.sql(f"ALTER TABLE geopython.{table} OWNER TO geopython")
    with_superuser(central, f"CREATE ROLE {name} LOGIN PASSWORD '{password}' CONNECTION LIMIT 20")
    with_superuser(central, f'GRANT CONNECT ON DATABASE "geopython-db" TO {name}')
    with_superuser(central, f"GRANT USAGE ON SCHEMA geopython TO {name}")
    with_superuser(central, f"GRANT SELECT ON ALL TABLES IN SCHEMA geopython TO {name}")
    for table, columns in COLUMNS.items():
        with_superuser(central, f"GRANT INSERT ({columns}) ON geopython.{table} TO {name}")
    ports = stack["ports"]
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    return Card(number, password, "127.0.0.1", ports["rabbitmq"], ports["postgis"], until)


def with_superuser(central: Machine, statement: str) -> None:
    """Run a statement as the database's superuser."""
    import psycopg

    token = json.loads((central.state / "token.json").read_text())["token"]
    with psycopg.connect(
        host="127.0.0.1",
        port=central.stack()["ports"]["postgis"],
        user="postgres",
        password=token,
        dbname="geopython-db",
        autocommit=True,
    ) as connection:
        connection.execute(statement)


def manage(central: Machine, method: str, path: str, content: object = None) -> bytes:
    """Ask RabbitMQ's management interface."""
    stack = central.stack()
    login = urlsplit(stack["broker_url"])
    token = b64encode(f"{login.username}:{login.password}".encode()).decode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{stack['ports']['management']}/api/{path}",
        method=method,
        data=None if content is None else json.dumps(content).encode(),
        headers={"Authorization": f"Basic {token}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.read()


def _broker_account(central: Machine, name: str, password: str) -> None:
    manage(central, "PUT", f"users/{name}", {"password": password, "tags": ""})
    rights = {"configure": "^$", "read": "^squares$", "write": r"^(tasks|amq\.topic)$"}
    manage(central, "PUT", f"permissions/celery_app/{name}", rights)
    for exchange, write in (("tasks", r"^task\.square$"), ("amq.topic", r"^(task|worker)\.")):
        topic = {"exchange": exchange, "write": write, "read": "^$"}
        manage(central, "PUT", f"topic-permissions/celery_app/{name}", topic)
