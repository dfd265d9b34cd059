"""The wall as a class sees it: in a browser, with forty machines and names that mean harm."""

import json
import re
import signal
from collections.abc import Iterator
from http.client import HTTPConnection
from urllib.parse import urlsplit

import psutil
import pytest
from playwright.sync_api import Browser, Page, expect

from backstage.stack.site import Site
from backstage.stack.status import running_site
from tests import squares
from tests.browser.conftest import Traffic
from tests.conftest import wait_for
from tests.integration.machine import Machine, command_line
from tests.integration.own_stack import own_stack
from workshop import raster

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
        program.communicate(timeout=30)


@pytest.fixture
def shown(page: Page, address: str) -> Page:
    page.on("dialog", lambda dialog: pytest.fail("a script of a name ran"))
    page.goto(address)
    expect(page.locator("tbody tr")).to_have_count(squares.MACHINES + len(HARM), timeout=60_000)
    return page


def test_it_shows_forty_machines_and_the_map(shown: Page, traffic: Traffic) -> None:
    names = [text.strip() for text in shown.locator("tbody th").all_inner_texts()]
    assert names[:40] == [f"machine{number:02}" for number in range(1, 41)]
    expect(shown.locator("#done")).to_have_text("2,503")
    expect(shown.locator("#waiting")).to_have_text("0")
    words = re.compile("coloured by machine. 2,503 squares done by 43 machines")
    expect(shown.get_by_role("img", name=words)).to_be_visible()
    expect(shown.locator("#summary")).to_contain_text("2,503 squares done by 43 machines")
    swatch = shown.locator("tbody tr").nth(6).locator("i")
    assert swatch.evaluate("each => each.style.backgroundColor") == _rgb(raster.colour("machine07"))
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
    expect(shown.locator("#nations i").first).to_be_visible()
    shown.get_by_role("button", name="by machine").focus()
    shown.keyboard.press("Enter")
    expect(shown.get_by_role("img", name=re.compile("coloured by machine"))).to_be_visible()
    expect(shown.locator("#nations i").first).to_be_hidden()


def test_new_rows_appear_by_themselves(shown: Page, site: Site) -> None:
    before = shown.locator("#map img").get_attribute("src")
    with_one_more = int(shown.locator("#done").inner_text().replace(",", "")) + 1
    squares.add(site.database_url, "machine01", (500_000, 500_000))
    expect(shown.locator("#done")).to_have_text(f"{with_one_more:,}")
    expect(shown.locator("#map img")).not_to_have_attribute("src", before or "")
    expect(shown.locator("#rate")).not_to_have_text("0.0")


def test_the_estimated_end_is_a_time_of_day(shown: Page) -> None:
    shown.route("**/wall.json", lambda route: route.fulfill(json=route.fetch().json() | {"left": 90}))
    expect(shown.locator("#endlabel")).to_have_text("estimated end, in 90 s")
    expect(shown.locator("#end")).to_have_text(re.compile(r"^\d\d:\d\d$"))


@pytest.mark.parametrize(("width", "height"), [(1920, 1080), (1280, 720)])
def test_all_machines_fit_on_the_screen(shown: Page, width: int, height: int) -> None:
    shown.set_viewport_size({"width": width, "height": height})
    last = shown.locator("tbody tr").last
    expect(last).to_be_in_viewport(ratio=1)
    for row in (20, 42):
        name = shown.locator("tbody th span").nth(min(row, 39))
        assert name.evaluate("each => each.parentElement.scrollWidth <= each.parentElement.clientWidth")


def test_it_is_a_page_of_jupyterlab(browser: Browser, site: Site, traffic: Traffic) -> None:
    page = browser.new_page()
    traffic.watch(page)
    page.goto(f"http://127.0.0.1:{site.ports['lab']}/wall/?token={site.token}", timeout=90_000)
    expect(page.locator("tbody tr")).to_have_count(squares.MACHINES + len(HARM), timeout=60_000)
    expect(page.get_by_role("img", name=re.compile("coloured by machine"))).to_be_visible()
    assert traffic.elsewhere == []
    page.close()


def ask(address: str, path: str, host: str | None = None) -> tuple[int, dict[str, str], bytes]:
    parts = urlsplit(address)
    connection = HTTPConnection(parts.hostname or "", parts.port or 0, timeout=30)
    connection.request("GET", path, headers={"Host": host or parts.netloc})
    answer = connection.getresponse()
    return answer.status, dict(answer.getheaders()), answer.read()


@pytest.mark.parametrize("path", ["/", "/wall.json", "/machine.png", "/wall.js"])
def test_another_name_of_this_machine_is_refused(address: str, path: str) -> None:
    assert ask(address, path)[0] == 200
    assert ask(address, path, "localhost:80")[0] == 200
    for host in ("evil.example", "127.0.0.1.evil.example", "", "[::1"):
        status, _, content = ask(address, path, host or "evil")
        assert status in (400, 404)
        assert b"machine" not in content


def test_every_answer_has_a_policy_and_no_password(address: str, site: Site) -> None:
    for path in ("/", "/wall.json", "/nation.png", "/nothing", "/../wall.py"):
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
    assert program.wait(20) == 0


def test_without_services_it_says_so_and_goes_on(browser: Browser, services: Machine, tmp_path) -> None:
    program = services.popen("class", "wall", WORKSHOP_STATE=str(tmp_path))
    page = browser.new_page()
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
        program.communicate(timeout=30)


def test_it_ends_with_jupyterlab(browser: Browser, services: Machine, site: Site) -> None:
    """The last test here: it ends the services."""
    page = browser.new_page()
    page.goto(f"http://127.0.0.1:{site.ports['lab']}/wall/?token={site.token}", timeout=90_000)
    page.close()
    every = psutil.Process(services.service("lab")["pid"]).children(recursive=True)
    programs = [each for each in every if "wall" in command_line(each).split()]
    assert len(programs) == 1
    services.workshop("down")
    wait_for(lambda: not programs[0].is_running(), what="the end of the wall")


def _rgb(colour: str) -> str:
    return "rgb({}, {}, {})".format(*bytes.fromhex(colour[1:]))
