"""What the accounts of a central's machines are bound by."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from backstage.stack import accounts, central_config
from backstage.stack.central_config import CentralConfig
from backstage.stack.ports import USUAL_PORTS
from backstage.stack.site import Site
from workshop import json_files
from workshop.delivery.topology import DEAD, SQUARES


def test_tasks_are_bounded_and_dead_letters_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full queue of tasks says so to its sender; a full queue of dead letters would lose them."""
    asked: dict[str, Any] = {}

    def ask(site: Site, path: str, content: Any = None) -> bytes:
        asked[path] = content
        return json.dumps([]).encode()

    monkeypatch.setattr(accounts, "ask_rabbitmq", ask)
    opened = CentralConfig("127.0.0.1", datetime.now(UTC) + timedelta(hours=1), {1: "secret"}, False, True)
    json_files.write(tmp_path / central_config.FILE, opened.as_json())
    accounts.make_accounts(Site(tmp_path, USUAL_PORTS, "token"))
    (policy,) = asked["/api/definitions"]["policies"]
    assert re.search(policy["pattern"], SQUARES.name) and policy["definition"]["overflow"] == "reject-publish"
    assert not re.search(policy["pattern"], DEAD.name)
