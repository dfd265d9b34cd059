"""Nothing is broken that is not this machine's own; what was broken is told by start times."""

import json
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from backstage.challenges.verdict import texts
from backstage.stack import breaking, containers
from backstage.stack.central_config import CentralConfig
from workshop import state_folder
from workshop.errors import WorkshopError

BREAKS = [breaking.kill_worker, breaking.kill_process, breaking.restart_broker, breaking.restart_database]
NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)

pytestmark = pytest.mark.usefixtures("state")


@pytest.mark.parametrize("strike", BREAKS, ids=lambda strike: strike.__name__)
def test_services_that_do_not_run(strike):
    with pytest.raises(WorkshopError, match=r"The services are not running\. Next: workshop up"):
        strike()


@pytest.mark.parametrize("strike", BREAKS, ids=lambda strike: strike.__name__)
def test_services_of_others(strike):
    state_folder.write("joined.json", {"broker_url": "amqp://central"})
    with pytest.raises(WorkshopError, match="Nothing was broken: this machine joined a central queue"):
        strike()


def test_what_a_class_works_on():
    CentralConfig("c7f3", NOW + HOUR, {1: "secret"}, "192.168.8.10").write()
    with pytest.raises(WorkshopError, match=r"a class works here, at 192\.168\.8\.10\. Next: workshop class"):
        breaking.kill_worker()


@pytest.fixture
def asked(monkeypatch):
    """Services that began to run an hour ago; a test lets some begin later."""
    began = dict.fromkeys(("worker1", "worker2", "rabbitmq", "postgis"), NOW - HOUR)

    def node(*_):
        return json.dumps([{"uptime": (datetime.now(UTC) - began["rabbitmq"]) / timedelta(milliseconds=1)}])

    def report(*_, **__):
        return {name: {"since": began[name].isoformat()} for name in ("worker1", "worker2")}

    monkeypatch.setattr(breaking, "_killed", NOW - HOUR)
    monkeypatch.setattr(breaking, "running_site", lambda: "here")
    monkeypatch.setattr(breaking.settings, "broker_url", lambda: "amqp://here")
    monkeypatch.setattr(breaking.settings, "database_url", lambda: "postgresql://here")
    monkeypatch.setattr(breaking, "living", lambda _: {"worker1": "3f2a9b1c", "worker2": "3f2a9b1c"})
    monkeypatch.setattr(breaking, "ask", report)
    monkeypatch.setattr(breaking, "ask_rabbitmq", node)
    monkeypatch.setattr(breaking, "execute", lambda _: SimpleNamespace(scalar_one=lambda: began["postgis"]))
    return began


@pytest.mark.parametrize(
    ("service", "what"),
    [("worker1", "worker"), ("worker2", "worker"), ("rabbitmq", "broker"), ("postgis", "database")],
)
def test_what_began_to_run_since_was_broken(asked, service, what):
    assert breaking.broken(NOW) == set()
    asked[service] = NOW + timedelta(seconds=3)
    assert breaking.broken(NOW) == {what}
    assert breaking.broken(NOW + HOUR) == set()


def test_a_broker_that_does_not_know_yet_since_when_it_runs_has_just_started(asked, monkeypatch):
    monkeypatch.setattr(breaking, "ask_rabbitmq", lambda *_: b'[{"name": "workshop@localhost"}]')
    assert breaking.broken(NOW) == {"broker"}


def test_in_containers_a_person_strikes(monkeypatch, capsys):
    answers = iter([{"worker"}, OSError("RabbitMQ is away"), {"broker"}, {"broker", "worker"}])

    def broken(_):
        if isinstance(answer := next(answers), OSError):
            raise answer
        return answer

    monkeypatch.setattr(containers, "inside", lambda: True)
    monkeypatch.setattr(breaking, "_tasks_waiting", lambda service: nullcontext())
    monkeypatch.setattr(breaking, "broken", broken)
    monkeypatch.setattr(breaking.settings, "database_url", lambda: "postgresql://here")
    monkeypatch.setattr(breaking, "living", lambda _: {"worker1@laptop": "3f2a9b1c"})
    breaking.restart_broker()
    assert capsys.readouterr().out == (
        "In a terminal of your own computer, in the course's folder:\n"
        "docker compose kill rabbitmq\ndocker compose start rabbitmq\n"
        "RabbitMQ was killed while tasks were running. It was started again, and is ready.\n"
    )
    assert next(answers, None) is None, "the worker ends with its broker, and is waited for"


def test_challenge_4_names_all_that_can_be_broken(asked):
    assert set(texts()["breaks"]) == breaking.broken(NOW - 2 * HOUR) | {"refused", "twice"}
