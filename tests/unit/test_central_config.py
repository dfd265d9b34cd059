"""What a central is to be stands in one file; the servers open to other machines only as far as it says."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backstage.stack import accounts, central_config, ports, postgis, rabbitmq
from backstage.stack.central_config import CentralConfig, machine_of, open_to_others, opened
from backstage.stack.site import USUAL_PORTS, Site
from tests.servers import at
from workshop.delivery.configuration import DEAD, SQUARES

CENTRAL = CentralConfig(
    "c7f3",
    datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1),
    ["one-password", "another"],
    "192.168.8.10",
    ports={"rabbitmq": 26_001},
)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A stack that does not run, on a machine that has the address of the central."""
    monkeypatch.setattr(ports, "is_free", lambda port, address: True)
    with at(tmp_path / "state"):
        yield Site(tmp_path, USUAL_PORTS, "token")


def test_what_is_written_is_read(site: Site) -> None:
    assert CentralConfig.read() is None
    CENTRAL.write()
    assert CentralConfig.read() == opened() == CENTRAL
    assert CENTRAL.accounts == {"c7f3-machine01": "one-password", "c7f3-machine02": "another"}
    assert machine_of("c7f3-machine01") == "machine01" and machine_of("geopython") == "geopython"


@pytest.mark.parametrize(
    "closed", [replace(CENTRAL, passwords=[]), replace(CENTRAL, until=datetime.now(UTC) - timedelta(hours=1))]
)
def test_one_that_is_closed_or_has_ended_has_no_accounts_and_no_address(
    site: Site, closed: CentralConfig
) -> None:
    closed.write()
    assert closed.accounts == {} and opened() is None and open_to_others() == ""
    assert ports.addresses() == ("127.0.0.1",)


def told(site: Site) -> list[str]:
    """Return the lines that RabbitMQ is told."""
    rabbitmq.prepare(site)
    return (site.state / "rabbitmq" / "rabbitmq.conf").read_text().splitlines()


def test_without_a_central_the_servers_are_for_this_machine_alone(site: Site) -> None:
    assert site.broker_url == "amqp://celery_user:secret@127.0.0.1:5672/celery_app"
    assert site.database_url == "postgresql+psycopg://geopython:geopython@127.0.0.1:5432/geopython-db"
    assert [line for line in told(site) if line.startswith("listeners")] == [
        "listeners.tcp.1 = 127.0.0.1:5672"
    ]
    assert "-clisten_addresses=127.0.0.1" in postgis.command(site)


def test_a_central_is_at_the_same_servers(site: Site) -> None:
    central = site.of(CENTRAL)
    assert central.broker_url == "amqp://celery_user:secret@127.0.0.1:5672/c7f3"
    assert central.database_url == "postgresql+psycopg://geopython:geopython@127.0.0.1:5432/c7f3"
    assert central.flower_url == "http://192.168.8.10:5555/flower"


def test_they_listen_at_its_address_too(site: Site) -> None:
    CENTRAL.write()
    assert {
        "listeners.tcp.1 = 127.0.0.1:5672",
        "listeners.tcp.2 = 192.168.8.10:5672",
        "loopback_users.celery_user = true",
        "management.tcp.ip = 127.0.0.1",
    } <= set(told(site))
    assert "-clisten_addresses=127.0.0.1,192.168.8.10" in postgis.command(site)


def test_they_start_where_that_address_is_gone(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A laptop is elsewhere the next day."""
    CENTRAL.write()
    monkeypatch.undo()
    monkeypatch.setenv("WORKSHOP_STATE", str(site.state / "state"))
    assert ports.addresses() == ("127.0.0.1",)
    assert "-clisten_addresses=127.0.0.1,192.168.8.10" in postgis.command(site), "or it would start anew"


def test_they_take_the_ports_again_that_the_cards_name(site: Site) -> None:
    CENTRAL.write()
    assert ports.free_ports()["rabbitmq"] == 26_001


def test_tasks_are_bounded_and_dead_letters_are_not() -> None:
    """A full queue of tasks says so to its sender; a full queue of dead letters would lose them."""
    (policy,) = accounts._definitions(CENTRAL)["policies"]
    assert re.search(policy["pattern"], SQUARES.name) and policy["definition"]["overflow"] == "reject-publish"
    assert not re.search(policy["pattern"], DEAD.name)


def test_ids_fit_a_card() -> None:
    assert all(len(bytes.fromhex(central_config.new_id())) == 2 for _ in range(100))
