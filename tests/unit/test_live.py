"""While a service is not ready, the line of progress says so: that is where an attendee looks."""

import pytest

from workshop import live, state_folder
from workshop.errors import WorkshopError

pytestmark = pytest.mark.usefixtures("state")


def write_stack(**conditions: tuple[str, str]) -> None:
    services = {name: {"state": state, "message": message} for name, (state, message) in conditions.items()}
    state_folder.write("stack.json", {"services": services})


def test_it_waits_for_a_service_that_is_away_and_says_so(monkeypatch, capsys):
    done = live.Progress(1, 1, 0, 0, 0, 0, 0)
    answers = iter([ConnectionRefusedError(), ConnectionRefusedError(), done])

    def progress(tasks):
        if isinstance(answer := next(answers), Exception):
            raise answer
        return answer

    monkeypatch.setattr(live, "progress", progress)
    ended = "16:20:11 it was ended by SIGKILL; started again after 1 s"
    write_stack(rabbitmq=("broken", ended), worker1=("ready", ended), postgis=("starting", ""))
    assert live.watch([]) == done
    shown = capsys.readouterr().out
    assert f"no answer for now; rabbitmq is broken ({ended}); postgis is starting" in shown


def test_its_patience_ends(monkeypatch):
    def progress(tasks):
        raise ConnectionRefusedError

    monkeypatch.setattr(live, "progress", progress)
    with pytest.raises(WorkshopError, match="RabbitMQ or PostGIS does not answer. Next: workshop status"):
        live.watch([], patience=0.1, quiet=True)
