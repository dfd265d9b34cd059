"""The page of cards: all that a machine needs, nothing from elsewhere, and safe whatever a part holds."""

import stat
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from backstage.classroom import cards
from backstage.classroom.card import Card
from workshop import state_folder

CARD = Card(
    7, "c7f3", "0123456789abcdef", "192.168.8.10", 5672, 5433, datetime(2026, 9, 20, 18, 30, tzinfo=UTC)
)


class Reader(HTMLParser):
    """Collects the tags, their attributes and the text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: dict[str, list[str]] = {}
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            self.attributes.setdefault(name, []).append(value or "")

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_card_has_all_parts() -> None:
    text = Reader(cards.page([CARD])).text
    for part in (
        "machine07",
        "0123456789abcdef",
        "192.168.8.10",
        "5672",
        "5433",
        "c7f3-machine07",
    ):
        assert part in text
    assert CARD.code in text and "workshop join and the code" in text
    assert f"{CARD.until.astimezone():%Y-%m-%d %H:%M}" in text


def test_there_is_a_card_for_each_machine() -> None:
    page = Reader(cards.page([replace(CARD, number=number) for number in range(1, 31)]))
    assert page.tags.count("article") == 30
    assert "machine01" in page.text and "machine30" in page.text


def test_the_page_needs_nothing_else() -> None:
    page = Reader(cards.page([CARD]))
    assert not {"script", "link", "img", "iframe", "object", "form"} & set(page.tags)
    assert not {"href", "src", "style", "onclick"} & page.attributes.keys()
    assert page.attributes["lang"] == ["en"]
    assert page.tags.count("h1") == 1 and page.tags.count("h2") == 1


def test_only_this_user_may_read_it_and_a_browser_may_open_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A browser in a Snap may not look into hidden folders, as the state folder is one."""
    monkeypatch.setattr(state_folder, "ROOT", tmp_path)
    path = cards.write_page([CARD])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path == tmp_path / "cards-c7f3.html"
    assert path.read_text(encoding="utf-8") == cards.page([CARD])
