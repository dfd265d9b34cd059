"""A stack is for this machine alone unless its folder has a ``central.json``; then it opens so far."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backstage.stack import accounts, postgis, rabbitmq
from backstage.stack.central_config import CentralConfig
from backstage.stack.site import USUAL_PORTS, Site

OPENED = CentralConfig(
    "192.168.8.10",
    datetime(2026, 9, 20, 18, 30, tzinfo=UTC),
    {1: "one-password", 2: "another"},
    ports={"lab": 1},
)


@pytest.fixture
def own(tmp_path: Path) -> Site:
    return Site(tmp_path, USUAL_PORTS, "token")


@pytest.fixture
def central(own: Site) -> Site:
    (own.state / "central.json").write_text(json.dumps(OPENED.as_json()))
    return own


def test_what_is_written_is_read(central: Site) -> None:
    assert CentralConfig.read(central.state) == central.central == OPENED
    assert OPENED.accounts == {"machine01": "one-password", "machine02": "another"}


def test_an_opening_ends(own: Site) -> None:
    soon = datetime.now(UTC) + timedelta(hours=1)
    assert not CentralConfig("127.0.0.1", soon, {}).expired
    assert CentralConfig("127.0.0.1", soon - timedelta(hours=2), {}).expired


def test_a_stack_of_ones_own_is_for_this_machine_alone(own: Site) -> None:
    assert own.central is None
    assert own.addresses == ("127.0.0.1",)
    assert own.broker_url == "amqp://celery_user:secret@127.0.0.1:5672/celery_app"
    assert own.database_url == "postgresql+psycopg://geopython:geopython@127.0.0.1:5432/geopython-db"
    assert own.flower_password == "token"
    rabbitmq.prepare(own)
    told = (own.state / "rabbitmq" / "rabbitmq.conf").read_text().splitlines()
    assert [line for line in told if line.startswith("listeners")] == ["listeners.tcp.1 = 127.0.0.1:5672"]
    assert not [line for line in told if line.startswith(("loopback_users", "heartbeat", "max_message"))]
    options = [word for word in postgis.command(own) if word.startswith("-c")]
    assert options == ["-clisten_addresses=127.0.0.1", "-cunix_socket_directories="]


def test_a_central_listens_beyond_it_and_has_no_known_password(central: Site) -> None:
    assert central.addresses == ("127.0.0.1", "192.168.8.10")
    assert central.broker_url == "amqp://celery_user:token@127.0.0.1:5672/celery_app"
    assert central.database_url == "postgresql+psycopg://geopython:token@127.0.0.1:5432/geopython-db"
    assert central.flower_password not in ("token", "", "secret")
    assert central.flower_url == "http://127.0.0.1:5555/flower"
    rabbitmq.prepare(central)
    told = (central.state / "rabbitmq" / "rabbitmq.conf").read_text().splitlines()
    assert [line for line in told if line.startswith("listeners")] == [
        "listeners.tcp.1 = 127.0.0.1:5672",
        "listeners.tcp.2 = 192.168.8.10:5672",
    ]
    assert {"loopback_users.celery_user = true", "management.tcp.ip = 127.0.0.1"} <= set(told)
    assert "-clisten_addresses=127.0.0.1,192.168.8.10" in postgis.command(central)


@pytest.mark.parametrize(("machines", "room"), [(1, 50), (30, 50), (49, 50), (50, 100), (200, 250)])
def test_the_database_has_room_for_some_machines_more(central: Site, machines: int, room: int) -> None:
    assert postgis.room(machines) == room
    assert f"-cmax_connections={20 + 50 * postgis.SESSIONS}" in postgis.command(central)


def test_the_broker_is_never_told_a_password(central: Site) -> None:
    """Only what can be compared with one, and that is another one each time."""
    told = accounts._definitions(OPENED)
    assert "one-password" not in json.dumps(told)
    assert told["users"] != accounts._definitions(OPENED)["users"]
