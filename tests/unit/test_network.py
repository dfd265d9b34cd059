"""Where other machines may reach this one, only an address that it has."""

import pytest

from backstage.classroom import network
from workshop.errors import WorkshopError, WrongUse


@pytest.mark.parametrize("wrong", ["10.255.255.1", "0.0.0.0", "localhost", "::1", "machine", "", "224.0.0.1"])
def test_an_address_must_be_one_of_this_machine(wrong: str) -> None:
    with pytest.raises(WrongUse, match=f"^{wrong} is no IPv4 address of this machine. It has: ") as refused:
        network.require_own(wrong)
    assert "Next: workshop class start --address" in str(refused.value)


def test_an_address_of_this_machine_is_right() -> None:
    network.require_own("127.0.0.1")
    for address in network.addresses():
        network.require_own(address)
        assert not address.startswith("127.")


def test_one_address_is_taken_and_several_are_asked_about(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[str] = []
    monkeypatch.setattr(network, "addresses", lambda: found)
    with pytest.raises(WorkshopError, match="may reach this one: none.\nNext: workshop class start"):
        network.the_address()
    found.append("192.168.8.10")
    assert network.the_address() == "192.168.8.10"
    found.append("172.17.0.1")
    with pytest.raises(WorkshopError, match="this one: 192.168.8.10, 172.17.0.1.\nNext: "):
        network.the_address()
