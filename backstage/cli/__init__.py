"""The command ``workshop``, in sections: what attendees, the services and a class need."""

import click

from backstage.cli.attendee import attendee
from backstage.cli.instructor import instructor
from backstage.cli.services import services
from backstage.cli.terminal import Sections

main = Sections(
    name="workshop",
    sources=[attendee, services, instructor],
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="A workshop on task queues for geoprocessing.",
    epilog="Exit codes: 0 passed or ready, 1 not yet, 2 wrong use, 3 the environment is at fault.",
)
click.version_option(package_name="task-queue-workshop", prog_name="workshop")(main)
