"""Addresses are taken apart as their libraries do it, and what is missing has a name."""

import psycopg
import pytest

from workshop.delivery import addresses
from workshop.delivery.addresses import BROKER, DATABASE, broker_trouble, database_trouble, parts_of


def test_parts_have_names_and_no_password() -> None:
    assert parts_of("amqp://ann:hidden@rabbit.example:5673/a%2Fb", BROKER) == {
        "user": "ann",
        "host": "rabbit.example",
        "port": 5673,
        "virtual host": "a/b",
    }
    found = parts_of("postgresql+psycopg://ann%40home:h%3Adden@[::1]/squares", DATABASE)
    assert found == {
        "user": "ann@home",
        "host": "::1",
        "port": 5432,
        "database": "squares",
    }


@pytest.mark.parametrize(
    "url",
    [
        5672,
        None,
        "",
        "ann:hidden@host:5672/app",
        "//ann:hidden@host:5672/app",
        "://ann:hidden@host:5672/app",
        "ann:hidden://host:5672/app",
        "postgresql://ann:hidden@host:5672/app",
        "amqp://ann:hidden/host:5672/app",
        "amqp://ann:hidden:host:5672/app",
        "amqp://:hidden@host:5672/app",
        "amqp://ann@host:5672/app",
        "amqp://ann:@host:5672/app",
        "amqp://ann:hidden@:5672/app",
        "amqp://ann:hidden@host:hidden/app",
        "amqp://ann:hidden@host:99999/app",
        "amqp://ann:hidden@[host:5672/app",
    ],
)
def test_a_malformed_address_is_found_without_asking_anyone(url: object) -> None:
    trouble = broker_trouble(url)
    assert trouble is not None
    assert trouble.part == "address"
    assert trouble.text == "The broker's address is not like amqp://user:password@host:5672/name."
    assert parts_of(url, BROKER) == {}


def test_a_database_has_other_schemes() -> None:
    trouble = database_trouble("amqp://ann:hidden@host:5432/squares")
    assert trouble is not None
    text = "The database's address is not like postgresql+psycopg://user:password@host:5432/name."
    assert (trouble.part, trouble.text) == ("address", text)


@pytest.mark.parametrize(
    ("user", "said", "part"),
    [
        ("ann", 'FATAL:  password authentication failed for user "ann"', "user or password"),
        ("ann", 'FATAL:  database "squares" does not exist', "database"),
        ("ann", 'FATAL:  no pg_hba.conf entry for user "ann", database "squares"', "user or password"),
        ("c7f3-machine07", 'FATAL:  no pg_hba.conf entry for database "squares"', "database"),
        ("squares-machine07", 'FATAL:  no pg_hba.conf entry for database "squares"', "user or password"),
        ("ann", 'FATAL:  too many connections for role "ann"', "connections"),
        ("ann", "FATAL:  remaining connection slots are reserved for roles", "connections"),
        ("ann", "permission denied for schema geopython", "database"),
        ("ann", "server closed the connection unexpectedly", "port"),
    ],
)
def test_what_postgresql_says_names_a_part(
    monkeypatch: pytest.MonkeyPatch, user: str, said: str, part: str
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise psycopg.OperationalError(said)

    monkeypatch.setattr(psycopg, "connect", refuse)
    monkeypatch.setattr(addresses.socket, "create_connection", lambda *_, **__: addresses.socket.socket())
    trouble = database_trouble(f"postgresql://{user}:hidden@127.0.0.1:5432/squares")
    assert trouble is not None
    assert trouble.part == part
    assert "{" not in trouble.text and "hidden" not in trouble.text
