"""Whether the central queue and database that this machine joined answer, in words."""

from backstage.stack.central_config import machine_of
from workshop import settings, state_folder
from workshop.delivery.addresses import BROKER, broker_trouble, database_trouble, parts_of

WAY_BACK = "workshop leave goes back to this machine's own queue"


def place() -> str:
    """Return who this machine is at its central and where that is, such as ``machine07 at 10.0.0.1:5672``."""
    joined = state_folder.read("joined.json")
    parts = parts_of(joined.get("broker_url"), BROKER)
    return f"{machine_of(parts['user'])} at {parts.get('host')}:{parts.get('port')}" if parts else ""


def trouble() -> str | None:
    """Return why the central does not answer; None if it does, or if this machine joined none."""
    if not settings.joined():
        return None
    found = broker_trouble(settings.broker_url()) or database_trouble(settings.database_url())
    return f"The central does not answer. {found.text}" if found else None
