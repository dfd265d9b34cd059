"""The command ``workshop projector``: the live map and the board of machines, for the wall."""

import signal
import webbrowser
from threading import Event

import click

from workshop.visible import echo


@click.command()
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="Where on 127.0.0.1; by default a free one."
)
@click.option("--open", "open_browser", is_flag=True, help="Open it in the browser.")
def projector(port: int, open_browser: bool) -> None:
    """Show the live map and the board of all machines in a browser, until Ctrl-C."""
    from workshop.classroom.projector import PortTaken, Projector  # slow to import: maps and tables

    ended = Event()
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, lambda number, frame: ended.set())
    try:
        page = Projector(port)
    except PortTaken as error:
        raise click.ClickException(str(error)) from error
    echo(f"Projector   {page.url}  F11 fills the screen, Ctrl-C ends it.")
    if open_browser:
        webbrowser.open(page.url)
    while not ended.wait(0.5):  # on Windows, Ctrl-C is noticed between two waits
        pass
    page.stop()
