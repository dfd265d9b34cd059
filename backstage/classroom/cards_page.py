"""A page with the cards of a central, to print and hand out; it holds passwords and is this user's own."""

from pathlib import Path

from tornado.template import Loader

from backstage.classroom.card import Card
from workshop import state_folder

NAME = "cards.html"
"""The template beside this module, and the page in the state folder."""


def write(cards: list[Card]) -> Path:
    """Write the page into the state folder, and return where it is."""
    path = state_folder.state_dir() / NAME
    path.touch(mode=0o600)
    path.write_text(page(cards), encoding="utf-8")
    return path


def page(cards: list[Card]) -> str:
    """Return the page: HTML that needs nothing else, neither scripts nor a network."""
    until = f"{cards[0].until.astimezone():%Y-%m-%d %H:%M %Z}"  # as the clocks of this place show it
    template = Loader(str(Path(__file__).parent), whitespace="all").load(NAME)
    return template.generate(cards=cards, until=until).decode()
