"""The running stack: everything answers, on this machine only, and says so."""

import subprocess
import urllib.request
from base64 import b64encode
from pathlib import Path

import psutil
import pytest

from backstage.stack import plan, rabbitmq
from backstage.stack.schema import create_schema
from backstage.stack.site import Site, new_site
from backstage.stack.workers import machine_name
from tests.integration.machine import Machine, frozen, listening
from workshop.delivery.asking import ask, code_digest, living
from workshop.errors import WorkshopError


@pytest.fixture
def machine(stack: Path) -> Machine:
    return Machine(stack)


def fetch(address: str, login: str | None = None) -> bytes:
    headers = {"Authorization": f"Basic {b64encode(login.encode()).decode()}"} if login else {}
    with urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=30) as answer:
        return answer.read()


def test_every_service_does_its_work(machine: Machine) -> None:
    ports = machine.stack()["ports"]
    with machine.amqp() as broker:
        broker.connect()
    management = f"http://127.0.0.1:{ports['management']}/api/vhosts/celery_app"
    assert b'"celery_app"' in fetch(management, "celery_user:secret")
    assert machine.sql("SELECT current_user, count(*) FROM uk_boundary") == [("geopython", 5)]
    assert living(machine.stack()["database_url"]) == {f"worker1@{machine_name()}": code_digest()}
    assert fetch(f"http://127.0.0.1:{ports['flower']}/flower/healthcheck") == b"OK"
    token = machine.workshop("status").partition("token=")[2].split()[0]
    assert b"kernels" in fetch(f"http://127.0.0.1:{ports['lab']}/api/status?token={token}")


def test_a_worker_says_by_which_command_it_runs(machine: Machine) -> None:
    """In containers that is how one knows that it runs as wished."""
    (report,) = ask(machine.stack()["broker_url"], "course_report").values()
    assert report["command"] == plan.services(("worker",))["worker1"].command(new_site())


@pytest.mark.parametrize(
    ("change", "back", "said"),
    [
        (
            "task_log RENAME COLUMN machine TO other",
            "task_log RENAME COLUMN other TO machine",
            "table geopython.task_log was made by an older version",
        ),
        (
            "grid_squares DROP CONSTRAINT grid_squares_pkey, ADD PRIMARY KEY (task_id)",
            "grid_squares DROP CONSTRAINT grid_squares_pkey, ADD PRIMARY KEY (task_id, grid_ref)",
            "table geopython.grid_squares was made by an older version",
        ),
    ],
    ids=["column", "key"],
)
def test_a_table_of_an_older_version_is_refused_with_a_sentence(
    machine: Machine, change: str, back: str, said: str
) -> None:
    url = machine.stack()["database_url"]
    machine.sql(f"ALTER TABLE geopython.{change}")
    try:
        with pytest.raises(WorkshopError, match=f"{said}(.|\n)*--purge"):
            create_schema(url)
    finally:
        machine.sql(f"ALTER TABLE geopython.{back}")
    create_schema(url)


def test_jupyterlab_wants_its_token(machine: Machine) -> None:
    with pytest.raises(urllib.error.HTTPError, match="403"):
        fetch(f"http://127.0.0.1:{machine.stack()['ports']['lab']}/api/contents")


def test_only_this_machine_is_listened_on(machine: Machine) -> None:
    supervisor = psutil.Process(machine.stack()["pid"])

    def found() -> set[tuple[str, int, str]]:
        return set().union(*map(listening, [supervisor, *supervisor.children(recursive=True)]))

    assert {port for _, port, _ in found()} >= set(machine.stack()["ports"].values())
    assert {address for address, _, _ in found()} == {"127.0.0.1"}


def test_no_erlang_beside_the_broker_listens_either(machine: Machine) -> None:
    # RabbitMQ starts one every minute, for half a second: too short to be met by looking at processes.
    sockets = (
        'io:format("~p", [[P || P <- erlang:ports(), {name, "tcp_inet"} =:= erlang:port_info(P, name)]])'
    )
    env = rabbitmq.environment(Site(machine.state, machine.stack()["ports"], token=""))
    beside = ["erl", "-sname", "beside", "-noinput", "-eval", f"{sockets}, halt()."]
    shown = subprocess.run(beside, env=env, capture_output=True, text=True, timeout=120)
    assert shown.stdout == "[]"


def test_a_second_start_says_so_and_changes_nothing(machine: Machine) -> None:
    before = machine.stack()
    shown = machine.workshop("up", "--detach")
    assert "running already" in shown
    assert f"127.0.0.1:{before['ports']['lab']}/lab" in shown
    assert machine.stack() == before


def test_doctor_is_content_unless_a_service_hangs(machine: Machine) -> None:
    shown = machine.workshop("doctor")
    assert shown.splitlines()[-1] == "READY"
    assert "NOT OK" not in shown
    assert "worker1 is ready" in shown
    with frozen(machine.service("flower")["pid"]):
        shown = machine.workshop("doctor", code=3).splitlines()[-1]
    assert shown.startswith("NOT READY: flower does not answer: ") and shown.endswith("workshop logs flower")


def test_logs(machine: Machine) -> None:
    assert "rabbitmq.log" in machine.workshop("logs")
    only_one = machine.workshop("logs", "worker", "-n", "5")
    assert "worker1.log" in only_one
    assert "rabbitmq.log" not in only_one
    unknown = machine.workshop("logs", "celery", code=2)
    assert "no log of celery" in unknown
    assert "worker1" in unknown
