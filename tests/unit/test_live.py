"""What an attendee looks at while tasks run: a line with what is not ready, or a panel in JupyterLab."""

from collections.abc import Iterator

import IPython.display
import pytest

from workshop import live, state_folder
from workshop.delivery.ledger import Ledger
from workshop.delivery.record import PROCESS, Published
from workshop.errors import WorkshopError

pytestmark = pytest.mark.usefixtures("state")

TASK = Published("1", "workshop.tasks.do_task", [5, 5], "run-7", "")
OVER = "1 sent: 1 done, 0 failed, 0 waiting, 0 running, 0 due for a retry; 0 retries so far\n"


def write_stack(**conditions: tuple[str, str]) -> None:
    services = {name: {"state": state, "message": message} for name, (state, message) in conditions.items()}
    state_folder.write("stack.json", {"services": services})


@pytest.fixture
def followed(monkeypatch):
    """Let the ledger of so many tasks have them ended by and by."""

    def follow(tasks: list[Published], ended: list[int]) -> None:
        def follow(every: list[Published], patience: float) -> Iterator[Ledger]:
            now = Ledger(every)
            for number in ended:
                now.rows = {task.id: 1 for task in every[:number]}
                now.open = {task.id: task for task in every[number:]}
                yield now

        monkeypatch.setattr(live, "follow", follow)

    return follow


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
    monkeypatch.setenv("WORKSHOP_BROKER_URL", "amqp://a:b@127.0.0.1:1/c")
    monkeypatch.setenv("WORKSHOP_DATABASE_URL", "postgresql+psycopg://a:b@127.0.0.1:1/c")
    with pytest.raises(WorkshopError, match="RabbitMQ or PostGIS does not answer. Next: workshop status"):
        live.watch([TASK], patience=0.1, quiet=True)


def test_a_run_that_is_over_has_no_rate(followed, capsys):
    tasks = [Published(str(n), "t", [5, 5], "run", "") for n in range(2500)]
    followed(tasks, [2500])
    live.watch(tasks)
    shown = capsys.readouterr().out.splitlines()[-1]
    assert shown.startswith("100%|") and "? tasks/s" in shown


def test_100_percent_means_all(followed, capsys):
    tasks = [Published(str(n), "t", [5, 5], "run", "") for n in range(2500)]
    followed(tasks, [0, 2499])
    with pytest.raises(WorkshopError, match="2,499 done"):
        live.watch(tasks)
    assert "100%" not in capsys.readouterr().out
    followed(tasks, [0, 1250, 2500])
    live.watch(tasks)
    assert capsys.readouterr().out.splitlines()[-1].startswith("100%|")


def test_where_outputs_are_compared_it_is_one_line(followed, monkeypatch, capsys):
    monkeypatch.setenv("WORKSHOP_SEED", "2018")
    followed([TASK], [0, 1])
    live.panel()
    live.watch([TASK])
    said = "JupyterLab shows the live panel here. Elsewhere live.watch() follows the tasks.\n"
    assert capsys.readouterr().out == said + OVER


@pytest.fixture
def shown(monkeypatch) -> list[dict[str, str]]:
    """What a notebook in JupyterLab on a hub shows."""
    outputs: list[dict[str, str]] = []

    class Output:
        def update(self, data: dict[str, str], raw: bool) -> None:
            outputs.append(data)

    def display(data: dict[str, str], raw: bool, display_id: bool) -> Output:
        outputs.append(data)
        return Output()

    monkeypatch.setattr(IPython.display, "display", display)
    monkeypatch.setattr(live, "shell", object)
    monkeypatch.setenv("JPY_SESSION_NAME", "01-enqueue.ipynb")
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/ann/")
    return outputs


def test_in_jupyterlab_the_panel_follows_this_kernel(shown):
    live.panel()
    assert f'src="/user/ann/wall/panel?run={PROCESS}"' in shown[0]["text/html"]
    assert '<iframe title="Live panel' in shown[0]["text/html"]


def test_at_the_end_a_still_picture_and_a_table_take_its_place(shown, followed, monkeypatch, capsys):
    monkeypatch.setattr(live, "_panel", None)
    monkeypatch.setattr(live, "fetch", lambda *_: [("SCT", [673 * 700 + 325] * 3)])
    followed([TASK], [0, 1])
    live.watch([TASK])
    panel, still = shown
    assert "panel?run=run-7" in panel["text/html"]
    assert 'alt="Map of the squares: England 0, Scotland 3, ' in still["text/html"]
    assert '<th scope="row">Scotland</th><td>3</td>' in still["text/html"]
    assert "data:image/png;base64," in still["text/html"] and "iframe" not in still["text/html"]
    assert still["text/plain"] + "\n" == capsys.readouterr().out == OVER
    assert len(still["text/html"]) < 60_000
