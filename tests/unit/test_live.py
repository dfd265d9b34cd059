"""While a service is not ready, the line of progress says so: that is where an attendee looks."""

import pytest

from workshop import live, state_folder
from workshop.delivery import ledger
from workshop.delivery.ledger import Ledger
from workshop.delivery.record import Published
from workshop.errors import WorkshopError

pytestmark = pytest.mark.usefixtures("state")

TASK = Published("1", "workshop.tasks.do_task", [5, 5], "run", "")


def write_stack(**conditions: tuple[str, str]) -> None:
    services = {name: {"state": state, "message": message} for name, (state, message) in conditions.items()}
    state_folder.write("stack.json", {"services": services})


def test_it_waits_for_a_service_that_is_away_and_says_so(monkeypatch, capsys):
    answers = iter([False, False, True])

    def look(now: Ledger) -> bool:
        if not next(answers):
            raise ConnectionRefusedError
        now.rows["1"] = 1
        now.open.clear()
        return True

    monkeypatch.setattr(Ledger, "look", look)
    monkeypatch.setattr(Ledger, "search", lambda now: None)
    ended = "16:20:11 it was ended by SIGKILL; started again after 1 s"
    write_stack(rabbitmq=("broken", ended), worker1=("ready", ended), postgis=("starting", ""))
    assert live.watch([TASK]) == live.Progress(1, 1, 0, 0, 0, 0, 0)
    shown = capsys.readouterr().out
    assert f"no answer for now; rabbitmq is broken ({ended}); postgis is starting" in shown


def test_its_patience_ends(monkeypatch):
    def tasks_in_queue(broker_url: str) -> int:
        raise ConnectionRefusedError

    monkeypatch.setattr(ledger, "tasks_in_queue", tasks_in_queue)
    monkeypatch.setenv("WORKSHOP_BROKER_URL", "amqp://a:b@127.0.0.1:1/c")
    with pytest.raises(WorkshopError, match="RabbitMQ or PostGIS does not answer. Next: workshop status"):
        live.watch([TASK], patience=0.1, quiet=True)
