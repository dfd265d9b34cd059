"""A machine's card as a code that can be typed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from backstage.classroom.card import Card, new_password, read_code
from workshop.errors import WorkshopError, WrongUse

UNTIL = datetime(2099, 11, 23, 18, 0, tzinfo=UTC)
CARD = Card(7, "c7f3", "22aa09bcd0e1f6b7", "192.168.8.10", 5672, 26007, UNTIL)


def test_a_code_brings_back_the_card() -> None:
    assert read_code(CARD.code) == CARD
    assert len(CARD.code.split("-")) == 8
    assert not set("0189") & set(CARD.code)


@pytest.mark.parametrize(
    "typed",
    [
        CARD.code.lower(),
        CARD.code.replace("-", ""),
        CARD.code.replace("-", " "),
        f" {CARD.code}\n",
        CARD.code.replace("O", "0").replace("L", "1"),
    ],
)
def test_however_it_is_typed(typed: str) -> None:
    assert read_code(typed) == CARD


def test_each_wrong_letter_is_noticed() -> None:
    plain = CARD.code.replace("-", "")
    for place, letter in enumerate(plain):
        wrong = plain[:place] + ("A" if letter != "A" else "C") + plain[place + 1 :]
        with pytest.raises(WrongUse, match="typing mistake"):
            read_code(wrong)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("", "this one has 0"),
        (CARD.code[:-6], "this one has 35"),
        (CARD.code + "5", "this one has 41"),
        (CARD.code.replace(CARD.code[0], "?"), "typing mistake"),
        ("amqp://celery_user:secret@192.168.8.10", "letters and digits"),
    ],
)
def test_what_is_no_code_is_refused_with_a_sentence(typed: str, said: str) -> None:
    with pytest.raises(WrongUse, match=said):
        read_code(typed)


def test_the_parts_are_those_of_both_addresses() -> None:
    login = "c7f3-machine07:22aa09bcd0e1f6b7"
    assert CARD.broker.url == f"amqp://{login}@192.168.8.10:5672/c7f3"
    assert CARD.database.url == f"postgresql+psycopg://{login}@192.168.8.10:26007/c7f3"
    first, *lines, last = repr(CARD).splitlines()
    assert (first.split(), last.split()) == (["broker", "database"], ["name", "c7f3"])
    assert f"port          {5672:<20}26007" in lines and "machine07" in repr(CARD)


def test_passwords_are_random_and_survive_the_code() -> None:
    passwords = {new_password() for _ in range(100)}
    assert len(passwords) == 100
    for password in passwords:
        card = Card(1, "c000", password, "10.77.0.1", 1, 65535, UNTIL)
        assert read_code(card.code).password == password


def test_a_card_ends() -> None:
    now = datetime.now(UTC)
    ended = Card(1, "c000", new_password(), "10.0.0.1", 1, 2, now - timedelta(seconds=2))
    with pytest.raises(WorkshopError, match="The card of machine01 ended on .*; this machine's clock says "):
        read_code(ended.code)
    good = replace(ended, until=now.replace(microsecond=0) + timedelta(minutes=1))
    assert read_code(good.code) == good
