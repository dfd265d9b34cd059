"""The wall as a class sees it, with forty machines and names that mean harm, and the panel of one run."""

import json
import re
import signal
from collections.abc import Iterator
from http.client import HTTPConnection
from urllib.parse import urlsplit

import psutil
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from backstage.stack import pausing
from backstage.stack.site import Site
from backstage.stack.status import running_site
from tests import squares
from tests.browser.conftest import Traffic
from tests.chromium import new_page
from tests.conftest import wait_for
from tests.integration.machine import Machine, command_line
from tests.integration.own_stack import own_stack
from workshop import raster, settings
from workshop.maps import NATIONS
from workshop.tasks import do_task

HARM = [
    "<img src=x onerror=alert(1)>",
    "'; DROP TABLE geopython.grid_squares; --",
    "</script><script>alert(2)",
]


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    with own_stack(tmp_path_factory.mktemp("wall"), "postgis", "rabbitmq", "lab") as machine:
        site = running_site()
        assert site is not None
        squares.load(site.database_url, 2_500, 400, until=20)
        for name in HARM:
            squares.add(site.database_url, name, (325_200, 673_500))
            squares.log(site.database_url, name, "FAILURE")
        yield machine


@pytest.fixture
def site(services: Machine) -> Site:
    found = running_site()
    assert found is not None
    return found


@pytest.fixture(scope="module")
def address(services: Machine) -> Iterator[str]:
    """The page of a running ``workshop class wall``."""
    program = services.popen("class", "wall")
    try:
        assert program.stdout
        found = re.search(r"http://127\.0\.0\.1:\d+/", program.stdout.readline())
        assert found
        yield found[0]
    finally:
        program.terminate()
        program.communicate(timeout=120)


@pytest.fixture
def shown(page: Page, address: str) -> Page:
    page.on("dialog", lambda dialog: pytest.fail("a script of a name ran"))
    page.goto(address)
    expect(page.locator("tbody tr")).to_have_count(squares.MACHINES + len(HARM), timeout=240_000)
    return page


def total(page: Page, label: str) -> Locator:
    return page.locator("#totals div", has_text=label).locator("dd")


def colour_at(page: Page, x: int, y: int) -> str:
    """Return the colour of a place on the map, in metres (EPSG:27700)."""
    at = [x // 1000, 1299 - y // 1000]
    pixel = "(map, at) => [...map.getContext('2d').getImageData(...at, 1, 1).data.slice(0, 3)]"
    return "#{:02X}{:02X}{:02X}".format(*page.locator("canvas").evaluate(pixel, at))


def test_it_shows_forty_machines_and_the_map(shown: Page, traffic: Traffic) -> None:
    names = [text.strip() for text in shown.locator("tbody th").all_inner_texts()]
    assert names[:40] == [f"machine{number:02}" for number in range(1, 41)]
    expect(total(shown, "squares done")).to_have_text("2,503")
    expect(total(shown, "tasks waiting")).to_have_text("0")
    words = re.compile("coloured by machine. Squares · This machine, squares done 2,503, ")
    expect(shown.get_by_role("img", name=words)).to_be_visible()
    expect(shown.locator("#spoken")).to_contain_text("squares done 2,503")
    swatch = shown.locator("tbody tr").nth(6).locator("i")
    assert swatch.evaluate("each => each.style.backgroundColor") == _rgb(raster.colour("machine07"))
    assert colour_at(shown, 325_200, 673_500) in {raster.colour(name) for name in HARM}
    assert shown.locator("figure img").evaluate("land => land.naturalWidth") == 700
    assert (traffic.elsewhere, traffic.failed) == ([], [])


def test_harmful_names_are_only_text(shown: Page, site: Site) -> None:
    for name in HARM:
        expect(shown.locator("tbody th", has_text=name)).to_have_count(1)
    assert shown.locator("table img, table script").count() == 0
    assert shown.locator("script").count() == 1
    with pytest.raises(Exception, match="Content Security Policy"):
        shown.add_script_tag(content="document.title = 'changed'")


def test_keys_and_buttons_change_the_colours(shown: Page) -> None:
    shown.keyboard.press("n")
    expect(shown.get_by_role("button", name="by nation")).to_have_attribute("aria-pressed", "true")
    expect(shown.get_by_role("button", name="by machine")).to_have_attribute("aria-pressed", "false")
    expect(shown.get_by_role("img", name=re.compile("coloured by nation"))).to_be_visible()
    expect(shown.locator("#legend i").first).to_be_visible()
    assert colour_at(shown, 325_200, 673_500) == NATIONS["ENG"][1], "as its made-up rows say"
    shown.get_by_role("button", name="by machine").focus()
    shown.keyboard.press("Enter")
    expect(shown.get_by_role("img", name=re.compile("coloured by machine"))).to_be_visible()
    expect(shown.locator("#legend i").first).to_be_hidden()


def test_new_rows_appear_by_themselves_in_two_browsers(
    shown: Page, browser: Browser, address: str, site: Site
) -> None:
    other = new_page(browser)
    other.goto(address)
    expect(total(other, "squares done")).to_have_text(total(shown, "squares done").inner_text())
    with_more = int(total(shown, "squares done").inner_text().replace(",", "")) + 20
    squares.add(site.database_url, "machine01", *[(500_000, 500_000)] * 20)
    for page in (shown, other):
        expect(total(page, "squares done")).to_have_text(f"{with_more:,}")
        expect(total(page, "per second")).not_to_have_text("0.0")
        assert colour_at(page, 500_000, 500_000) == raster.colour("machine01")
    other.close()


def test_the_estimated_end_is_a_time_of_day(shown: Page) -> None:
    frame = json.loads(ask(shown.url, "/wall.json")[2]) | {"left": 90}
    shown.route("**/wall.json*", lambda route: route.fulfill(json=frame))
    expect(total(shown, "end in 90 s")).to_have_text(re.compile(r"^\d\d:\d\d$"))


@pytest.mark.parametrize(("width", "height"), [(1920, 1080), (1280, 720)])
def test_all_machines_fit_on_the_screen(shown: Page, width: int, height: int) -> None:
    shown.set_viewport_size({"width": width, "height": height})
    expect(shown.locator("tbody tr").last).to_be_in_viewport(ratio=1)
    for row in (20, 39):
        assert not _cut(shown.locator("tbody tr").nth(row))


def test_three_machines_are_large_and_their_shares_whole(shown: Page) -> None:
    shown.set_viewport_size({"width": 1600, "height": 900})
    three = [
        {
            "colour": "#0072B2",
            "cells": [f"machine0{n}", "300,000", "1,234.5", "33.3 %", "1,000", "10", "99 s"],
        }
        for n in range(3)
    ]
    frame = json.loads(ask(shown.url, "/wall.json")[2]) | {"rows": three}
    shown.route("**/wall.json*", lambda route: route.fulfill(json=frame))
    expect(shown.locator("tbody tr")).to_have_count(3)
    for row in shown.locator("tr").all():
        assert not _cut(row)
    assert shown.locator("#rows").evaluate("each => each.scrollWidth <= each.clientWidth")


def ask(address: str, path: str, host: str | None = None) -> tuple[int, dict[str, str], bytes]:
    parts = urlsplit(address)
    connection = HTTPConnection(parts.hostname or "", parts.port or 0, timeout=120)
    connection.request("GET", path, headers={"Host": host or parts.netloc})
    answer = connection.getresponse()
    return answer.status, dict(answer.getheaders()), answer.read()


@pytest.mark.parametrize("path", ["/", "/panel", "/wall.json", "/wall.js"])
def test_another_name_of_this_machine_is_refused(address: str, path: str) -> None:
    assert ask(address, path)[0] == 200
    assert ask(address, path, "localhost:80")[0] == 200
    for host in ("evil.example", "127.0.0.1.evil.example", "", "[::1"):
        status, _, content = ask(address, path, host or "evil")
        assert status in (400, 404)
        assert b"machine" not in content


def test_every_answer_has_a_policy_and_no_password(address: str, site: Site) -> None:
    for path in ("/", "/wall.json", "/nothing", "/../wall.py"):
        _, headers, content = ask(address, path)
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert b"secret" not in content and site.token.encode() not in content


def test_it_listens_on_this_machine_only_and_ctrl_c_ends_it(services: Machine) -> None:
    program = services.popen("class", "wall", "--port", "0")
    assert program.stdout
    port = int(program.stdout.readline().split("127.0.0.1:")[1].split("/")[0])
    listening = psutil.Process(program.pid).net_connections("inet")
    assert [tuple(each.laddr) for each in listening if each.status == "LISTEN"] == [("127.0.0.1", port)]
    shown = services.workshop("class", "wall", "--port", str(port), code=3)
    assert "Next: choose another --port" in shown
    program.send_signal(signal.SIGINT)
    assert program.wait(80) == 0


def test_without_services_it_says_so_and_goes_on(browser: Browser, services: Machine, tmp_path) -> None:
    program = services.popen("class", "wall", WORKSHOP_STATE=str(tmp_path))
    page = new_page(browser)
    try:
        assert program.stdout
        page.goto(program.stdout.readline().split()[1])
        expect(page.locator("#trouble")).to_contain_text("Next: workshop up")
        here = {"folder": tmp_path.stat().st_ino}
        (tmp_path / "stack.json").write_text(json.dumps(services.stack() | here))
        (tmp_path / "token.json").write_text((services.state / "token.json").read_text())
        expect(page.locator("#trouble")).to_be_hidden()
        expect(page.locator("tbody tr")).to_have_count(squares.MACHINES + len(HARM))
        program.terminate()
        expect(page.locator("#trouble")).to_contain_text("Next: workshop class wall")
    finally:
        page.close()
        program.terminate()
        program.communicate(timeout=120)


def test_the_panel_moves_while_tasks_run(page: Page, address: str, services: Machine) -> None:
    """It was there before the first task, and shows these only, without the squares that were done before."""
    page.goto(f"{address}panel")
    expect(page.locator("#trouble")).to_contain_text("begins by itself")
    services.workshop("up", "--detach", "worker")
    title, seen = page.locator("#title"), [0]

    def shown() -> int:
        if found := re.search(r"(\d+) %", title.inner_text()):
            seen.append(int(found[1]))
        return seen[-1]

    with settings.changed(pace=10):
        pausing.pause(600)
        for x in range(700):
            do_task.delay(1000 * x + 1, 673_500)
        expect(total(page, "done")).to_have_text("0 of 700")
        pausing.resume()
        wait_for(lambda: shown() == 100, seconds=120, what="100 %")
    assert seen == sorted(seen) and len(set(seen)) > 4
    expect(total(page, "done")).to_have_text("700 of 700")
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("tbody tr")).to_contain_text("100 %")
    expect(page.get_by_role("button", name="by worker")).to_be_visible()
    assert colour_at(page, 325_001, 673_500) == NATIONS["SCT"][1]


def test_it_is_a_page_of_jupyterlab_and_ends_with_it(browser: Browser, services: Machine, site: Site) -> None:
    """The last test here: it ends the services."""
    page = new_page(browser)
    page.goto(f"http://127.0.0.1:{site.ports['lab']}/wall/?token={site.token}")
    expect(page.locator("tbody tr").first).to_be_visible()
    page.close()
    every = psutil.Process(services.service("lab")["pid"]).children(recursive=True)
    programs = [each for each in every if "wall" in command_line(each).split()]
    assert len(programs) == 1
    services.workshop("down")
    wait_for(lambda: not programs[0].is_running(), what="the end of the wall")


def _cut(row: Locator) -> bool:
    """Return whether a cell of a row shows less than it says."""
    return row.locator("th, td").evaluate_all("all => all.some(each => each.scrollWidth > each.clientWidth)")


def _rgb(colour: str) -> str:
    return "rgb({}, {}, {})".format(*bytes.fromhex(colour[1:]))
