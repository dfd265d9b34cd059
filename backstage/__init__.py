"""What runs the course; nobody has to read it to take part. Notebooks import from here what they need of it.

Each name is looked up when it is asked for: a Python that is too old for the course has to get as far as
``backstage.__main__``, which says so.
"""

from pkgutil import resolve_name

_NAMES = {
    "addresses": "backstage.stack.status:addresses",
    "breaking": "backstage.stack.breaking",
    "status": "backstage.stack.status:status",
    "join": "backstage.classroom.join:join",
    "leave": "backstage.classroom.join:leave",
    "passed": "backstage.classroom.passed:shared",
    "ledger": "workshop.delivery.ledger:ledger",
    "limits": "backstage.stack.cloud:limits",
    "pause": "backstage.stack.pausing:pause",
    "read_code": "backstage.classroom.card:read_code",
    "rehearse": "backstage.classroom.rehearsal:rehearse",
    "resume": "backstage.stack.pausing:resume",
    "scale": "backstage.stack.control:scale",
    "services": "backstage.stack.status:services",
    "stop_rehearsal": "backstage.classroom.rehearsal:stop",
}


def __getattr__(name: str) -> object:
    if name in _NAMES:
        return resolve_name(_NAMES[name])
    raise AttributeError(f"backstage has no {name!r}; it has {', '.join(_NAMES)}")
