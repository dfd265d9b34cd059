"""The command ``workshop rehearse``: a class on one machine."""

import click

from workshop.visible import echo


@click.command()
@click.argument("what", required=False, type=click.Choice(["stop"]))
@click.option("--machines", type=click.IntRange(1, 100), default=12, show_default=True, help="How many.")
def rehearse(what: str | None, machines: int) -> None:
    """Run a central and MACHINES joined machines on this one, until Ctrl-C or `workshop rehearse stop`."""
    from workshop.classroom import rehearsal
    from workshop.stack.condition import StartFailed
    from workshop.stack.running import NotRunning

    try:
        if what:
            rehearsal.stop(echo)
        else:
            rehearsal.run(machines, echo)
    except (StartFailed, NotRunning, OSError) as error:
        raise click.ClickException(str(error)) from error
