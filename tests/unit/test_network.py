"""Where other machines may reach this one: only an address that it has, and never by guessing."""

from pathlib import Path

import pytest

from backstage.classroom import own_address
from workshop.errors import WorkshopError


@pytest.mark.parametrize("wrong", ["10.255.255.1", "0.0.0.0", "localhost", "::1", "machine", "", "224.0.0.1"])
def test_an_address_must_be_one_of_this_machine(wrong: str) -> None:
    with pytest.raises(
        WorkshopError, match=f"^{wrong} is no IPv4 address of this machine. It has: "
    ) as refused:
        own_address.require_own(wrong)
    assert "Next: workshop class start --address" in str(refused.value)


def test_an_address_of_this_machine_is_right() -> None:
    own_address.require_own("127.0.0.1")
    for address in own_address.addresses():
        own_address.require_own(address)
        assert not address.startswith("127.")


def test_one_address_is_taken_and_several_are_asked_about(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[str] = []
    monkeypatch.setattr(own_address, "addresses", lambda: found)
    with pytest.raises(WorkshopError, match="no address but 127.0.0.1"):
        own_address.the_address()
    found.append("192.168.8.10")
    assert own_address.the_address() == "192.168.8.10"
    found.append("172.17.0.1")
    with pytest.raises(WorkshopError, match="2 addresses: 192.168.8.10, 172.17.0.1.\nNext: choose"):
        own_address.the_address()


def test_a_firewall_that_is_on_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_address, "_UFW", tmp_path / "ufw.conf")
    assert own_address.firewall([5672, 5432]) == ""
    (tmp_path / "ufw.conf").write_text("ENABLED=no\n")
    assert own_address.firewall([5672, 5432]) == ""
    (tmp_path / "ufw.conf").write_text("# on\nENABLED=yes\n")
    assert "ufw allow proto tcp to any port 5672,5432" in own_address.firewall([5672, 5432])
