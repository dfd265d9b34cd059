"""The commands of an instructor: ``workshop central``, a queue and a database for all machines of a class."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from workshop.visible import echo


@click.group(invoke_without_command=True)
@click.option(
    "--machines", type=click.IntRange(1, 255), default=30, show_default=True, help="How many may join."
)
@click.option("--address", help="The IPv4 address of this machine at which the others reach it.")
@click.option("--hours", type=click.FloatRange(0, 24 * 14, min_open=True), default=12, show_default=True,
              help="How long the cards are good for.")  # fmt: skip
@click.option("--flower", is_flag=True, help="Show Flower at that address too, with a password, read-only.")
@click.pass_context
def central(context: click.Context, machines: int, address: str | None, hours: float, flower: bool) -> None:
    """Open a queue and a database for other machines, and list a card for each."""
    if context.invoked_subcommand:
        return
    with spoken_errors():
        from workshop.classroom import central, own_address

        chosen = address or own_address.the_address()
        own_address.require_own(chosen)
        echo(f"Opening at {chosen} ...")
        central.start(machines, chosen, hours, flower)
        _show()


@central.command()
def cards() -> None:
    """Show again what listens where, and the code of each machine; write the page of cards anew."""
    with spoken_errors():
        _show()


@central.command()
@click.option("--yes", is_flag=True, help="Don't ask.")
def clear(yes: bool) -> None:
    """Empty the queues and the tables, as between two groups. Machines stay joined."""
    with spoken_errors():
        from workshop.classroom import clearing

        found = clearing.central_holdings()
        echo(", ".join(f"{number:,} {what}" for what, number in found.items()))
        if not yes and not sys.stdin.isatty():
            raise click.UsageError(
                "There is no terminal to ask for a confirmation. Next: the same with --yes"
            )
        if not yes:
            click.confirm("Remove them from the central?", abort=True)
        clearing.clear_central()
        echo("The queues and the tables of the central are empty.")


@central.command()
def stop() -> None:
    """Close the central: end it, remove its accounts. Squares stay; `central clear`, before, removes them."""
    with spoken_errors():
        from workshop import machine
        from workshop.classroom import central, fill

        if central.stop():
            echo("The central is closed, and its cards are worth nothing any more.")
            if machine.read(fill.FILE):
                echo("What waited is gone: after the next start, workshop central mend sends it again.")
        else:
            echo("No central runs on this machine.")


def _show() -> None:
    from workshop.classroom import cards_page, central, own_address

    site, cards = central.site(), central.cards()
    where = " and ".join(site.addresses)
    ports = site.ports
    echo(f"RabbitMQ  {where}, port {ports['rabbitmq']}")
    echo(f"PostGIS   {where}, port {ports['postgis']}")
    if site.central and site.central.flower:
        echo(f"Flower    {site.flower_url}/  user flower, password {site.flower_password}")
    echo(f"Cards     {cards_page.write(cards)}  for {len(cards)} machines")
    echo(f"End       {cards[0].until.astimezone():%Y-%m-%d %H:%M %Z}, or: workshop central stop")
    for card in cards:
        echo(f"{card.machine:<10}{card.code}")
    if hint := own_address.firewall([ports["rabbitmq"], ports["postgis"]]):
        echo(hint)


@contextmanager
def spoken_errors() -> Iterator[None]:
    """Show what can go wrong as a sentence."""
    import psycopg
    from amqp.exceptions import AMQPError
    from kombu.exceptions import OperationalError

    from workshop.classroom.country import NoSuchPart
    from workshop.classroom.fill import Cleared
    from workshop.stack.condition import StartFailed
    from workshop.stack.running import NotRunning

    try:
        yield
    except (Cleared, NoSuchPart, NotRunning, StartFailed) as error:
        raise click.ClickException(str(error)) from error
    except (AMQPError, OperationalError, OSError, psycopg.Error) as error:
        raise click.ClickException(
            f"The central does not answer: {error}\nNext: the same in a while, or workshop central stop"
        ) from error
