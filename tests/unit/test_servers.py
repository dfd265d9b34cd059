"""Which Jupyter servers a reset talks to: those of this course, wherever they came from."""

import json
import os
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from workshop import machine
from workshop.classroom.servers import Server, servers


class Jupyter(BaseHTTPRequestHandler):
    """Answers below /user/ann/ to those who have the token."""

    def do_GET(self) -> None:
        known = self.headers["Authorization"] == "token right" and self.path == "/user/ann/api/status"
        self.send_response(200 if known else 403)
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Jupyter) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.fixture
def note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, port: int):
    """Return what writes the note of a running server into the folder for it."""
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("WORKSHOP_STATE", str(tmp_path / "state"))

    def write(**different: object) -> None:
        found = {
            "hostname": "127.0.0.1", "port": port, "secure": False, "base_url": "/user/ann/",
            "token": "right", "root_dir": str(machine.ROOT), "pid": os.getpid(),
        }  # fmt: skip
        (tmp_path / "jpserver-1.json").write_text(json.dumps(found | different))

    return write


@pytest.mark.parametrize("hostname", ["127.0.0.1", "0.0.0.0", ""])
def test_a_server_of_a_cloud_is_found_below_its_path(note, port: int, hostname: str) -> None:
    note(hostname=hostname)
    assert servers() == [Server(f"http://127.0.0.1:{port}/user/ann/", "right")]


@pytest.mark.parametrize(
    "different",
    [{"root_dir": "/"}, {"pid": 2**22 + 1}, {"port": 1}, {"token": "wrong"}, {"token": ""}],
    ids=["of another folder", "of a dead process", "gone", "with another token", "with another login"],
)
def test_others_are_left_alone(note, different: dict[str, object]) -> None:
    note(**different)
    assert servers() == []


def test_a_note_that_is_being_written_is_no_server(note, tmp_path: Path) -> None:
    (tmp_path / "jpserver-2.json").write_text('{"pid"')
    assert servers() == []
