"""The wall's board: all squares of a class or of this machine, who did them, and when all will be done."""

import sqlalchemy as sa
from amqp.exceptions import AMQPError
from kombu.exceptions import KombuError

from backstage.classroom import fill
from backstage.classroom.board import Board, ago, by_number, seconds_left
from backstage.stack.central_config import opened
from backstage.stack.site import Site
from backstage.stack.status import running_site
from workshop.delivery.ledger import tasks_in_queue

NOT_RUNNING = "The services do not run on this machine. Next: workshop up. This page goes on by itself."
_SILENT = "{} does not answer. This page goes on by itself."
_QUIET = 10
"""After so many seconds without a row a machine is quiet."""


class Wall(Board):
    """The central's squares if a central is open on this machine, else its own."""

    def look(self) -> None:
        """Ask the services; what a silent one would say stays as it was, and the page says so."""
        here, waiting, todo, trouble = site(), None, 0, []
        if here is None:
            self.words["trouble"] = NOT_RUNNING
            return
        try:
            todo = waiting = tasks_in_queue(here.broker_url)
        except (OSError, AMQPError, KombuError):
            trouble.append(_SILENT.format("RabbitMQ"))
        try:
            self.read(here.database_url)
            todo += fill.unfed(here.database_url)
        except sa.exc.DBAPIError:
            trouble.append(_SILENT.format("PostGIS"))
        rates = self.rates(self.done)
        rate = sum(rates.values())
        self.words = {
            "title": f"Squares · {'Central' if here.central else 'This machine'}",
            "totals": [
                ("squares done", f"{sum(self.done.values()):,}"),
                ("per second", f"{rate:,.0f}" if rate >= 100 else f"{rate:.1f}"),
                ("tasks waiting", "?" if waiting is None else f"{waiting:,}"),
            ],
            "left": waiting and seconds_left(todo, rate),
            "legend": self.legend(),
            "heads": ["machine", "done", "per s", "share", "retries", "failed", "seen"],
            "rows": [
                self.row(
                    *(name, rates[name], each.seen > _QUIET),
                    *(f"{each.retries:,}", f"{each.failures:,}", ago(each.seen)),
                )
                for name, each in sorted(self.doers.items(), key=lambda pair: by_number(pair[0]))
            ],
            "trouble": " ".join(trouble),
        }


def site() -> Site | None:
    """Return whose squares are shown: the central's if one runs on this machine, else its own, if any."""
    found, central = running_site(), opened()
    return found.of(central) if found and central else found
