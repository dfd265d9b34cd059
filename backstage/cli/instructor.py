"""What an instructor types: ``workshop class`` and what is to be done, from cards to the wall."""

import sys
import webbrowser
from contextlib import suppress

import click

from backstage.cli import terminal
from backstage.cli.terminal import echo

instructor = click.Group("instructor", help="Class")


@instructor.group("class", cls=terminal.Central)
def class_() -> None:
    """Work together: a queue and a database for other machines, and what a class needs."""


@class_.command()
@click.option(
    "--machines", type=click.IntRange(1, 255), default=30, show_default=True, help="How many may join."
)
@click.option("--address", help="The IPv4 address of this machine at which the others reach it.")
@click.option("--hours", type=click.FloatRange(0, 24 * 14, min_open=True), default=12, show_default=True,
              help="How long the cards are good for.")  # fmt: skip
@click.option("--flower", is_flag=True, help="Show Flower at that address too, with a password, read-only.")
@terminal.yes
def start(machines: int, address: str | None, hours: float, flower: bool, yes: bool) -> None:
    """Open a queue and a database for other machines.

    A page with a card for each is written; its path is shown, and no code.
    """
    from backstage.classroom import central, network

    address = address or network.the_address()
    if central.restarts(address):
        echo(f"RabbitMQ and PostGIS start anew, to listen at {address} too. No task gets lost.")
        terminal.confirm("Go on?", yes)
    central.start(machines, address, hours, flower, echo)
    _show(secrets=False)


@class_.command()
@click.option("--show", is_flag=True, help="Show codes and passwords here: never on a projected screen.")
def cards(show: bool) -> None:
    """Write the page of cards anew, and show what listens."""
    _show(show)


@class_.command()
@terminal.yes
def clear(yes: bool) -> None:
    """Empty the queues and tables between two groups. Machines stay joined."""
    from backstage.classroom import clearing
    from backstage.classroom.cards import site

    found = clearing.holdings(site())
    echo(", ".join(f"{number:,} {what}" for what, number in found.items()))
    terminal.confirm("Remove them from the central?", yes)
    clearing.clear(site())
    echo("The queues and the tables of the central are empty.")


@class_.command()
def stop() -> None:
    """Close the central, and end its accounts. Squares stay: `class clear`, before, removes them."""
    from backstage.classroom import central

    if not central.stop():
        echo("No central is open on this machine.")
        return
    echo("The central is closed, and its cards are worth nothing any more.")
    echo("What waited is gone: after the next start, workshop class resend sends it again.")


@class_.command()
@click.argument("part", required=False)
@click.option("--all", "everything", is_flag=True, help="All 910,000 squares of the grid, the sea too.")
@click.option("--tasks", type=click.IntRange(1), metavar="N", help="Stop after so many squares.")
def fill(part: str | None, everything: bool, tasks: int | None) -> None:
    """Put the squares of the country on the queue.

    They are those that touch land, or those of PART, such as SCT or NT. At most 20,000 wait at a time.
    Ctrl-C is the pause: the same command goes on.
    """
    from backstage.classroom import country  # slow to import, as all below
    from backstage.classroom import fill as filling

    if part and everything:
        raise click.UsageError("PART and --all are two different parts. Next: one of them")
    part = country.ALL if everything else part.upper() if part else country.LAND
    fed, of = filling.fill(part, tasks)
    rest = "That is all." if fed == of else "The same command goes on."
    echo(f"{fed:,} of {of:,} squares were put on the queue so far. {rest}")


@class_.command()
def ledger() -> None:
    """Compare what was fed with what became of it.

    Rows, dead letters, the queue and the machines count. Exit code 1 unless it balances.
    """
    from backstage.classroom import audit, audit_text

    found = audit.audit()
    echo("\n".join(audit_text.of_class(found)))
    sys.exit(0 if found.balanced else terminal.EXIT_NOT_YET)


@class_.command()
@click.option("--remove-forged", is_flag=True, help="Remove forged rows, and send their squares again.")
def resend(remove_forged: bool) -> None:
    """Send again what failed or has no answer.

    Each task keeps its id, so that none makes two rows.
    """
    from backstage.classroom import audit

    found = audit.audit()
    number = audit.resend(found, remove_forged)
    if remove_forged:
        echo(f"{(found.forged + found.more).total():,} rows were removed.")
    echo(f"{number:,} squares were sent again. Next: workshop class ledger, in a while")
    if found.waiting:
        echo("What has no answer is known only when nothing waits: a machine has to be at work.")


@class_.command()
def passed() -> None:
    """Show who has passed what.

    It is what machines shared: `workshop check N --share`.
    """
    from backstage.classroom.passed import shared

    table = shared()
    echo(table.to_string() if len(table) else "Nobody has shared a verdict yet: workshop check N --share")


@class_.command()
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="Where on 127.0.0.1; by default a free one."
)
@click.option("--open", "browser", is_flag=True, help="Open it in the browser.")
def wall(port: int, browser: bool) -> None:
    """Show the live map and the scoreboard, until Ctrl-C."""
    from backstage.classroom.wall_page import WallPage  # slow to import: maps and tables

    page = WallPage(port)
    echo(f"Wall   {page.url}  F11 fills the screen, Ctrl-C ends it.")
    if browser:
        webbrowser.open(page.url)
    with suppress(KeyboardInterrupt):
        page.serve()


@class_.command()
@click.argument("what", required=False, type=click.Choice(["stop"]))
@click.option("--machines", type=click.IntRange(1, 100), default=12, show_default=True, help="How many.")
def rehearse(what: str | None, machines: int) -> None:
    """Run a central and machines on this one, to try it.

    They end with Ctrl-C, or `workshop class rehearse stop`.
    """
    from backstage.classroom import rehearsal

    if what:
        rehearsal.stop(echo)
    else:
        rehearsal.run(machines, echo)


@class_.command()
def branches() -> None:
    """Make the branches challenge-1, -2 and -3 anew."""
    from backstage.classroom import branches as making

    making.recreate(echo)


def _show(secrets: bool) -> None:
    from backstage.classroom import cards as here
    from backstage.stack.ports import addresses

    opened, cards, site = here.require_open(), here.cards(), here.site()
    where = " and ".join(addresses())
    echo(f"RabbitMQ  {where}, port {site.ports['rabbitmq']}")
    echo(f"PostGIS   {where}, port {site.ports['postgis']}")
    if opened.flower:
        hidden = opened.flower if secrets else "by workshop class cards --show"
        echo(f"Flower    {site.flower_url}/  user flower, password {hidden}")
    echo(f"Cards     {here.write_page(cards)}  for {len(cards)} machines")
    echo(f"End       {cards[0].until.astimezone():%Y-%m-%d %H:%M %Z}, or: workshop class stop")
    for card in cards if secrets else []:
        echo(f"{card.machine:<10}{card.code}")
