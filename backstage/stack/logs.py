"""Reading the services' logs: their last lines, and the error that ended a program."""

import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from backstage.stack.visible import visible
from workshop.state_folder import ROOT, state_dir

_START = "=== start at "
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_ERROR = re.compile(r"^[\w.]*(?:Error|Exception)\b.*", re.MULTILINE)
_PLACE = re.compile(rf'File "{re.escape(str(ROOT))}[/\\](workshop[/\\][^"]+)", line (\d+)')

_SPOILT = re.compile(
    r'pg_control": No such file|checkpoint record|incompatible with server|not a valid data directory'
    r"|[Cc]orrupt|incorrect checksum|inconsistent_database|schema_integrity_check_failed|mnesia_app"
)
"""What PostgreSQL and RabbitMQ say when they can't read their own data."""

_NO_RIGHT_OR_ROOM = re.compile(r"Permission denied|No space left|eacces|enospc")


def of(service: str | None) -> list[Path]:
    """Return the logs of a service, or of all."""
    every = sorted((state_dir() / "logs").glob("*.log"))
    return [log for log in every if not service or service in (log.stem, log.stem.rstrip("0123456789"))]


def begin(log: Path) -> None:
    """Mark in a log that its program starts now, unless the disk is full."""
    with suppress(OSError), log.open("a", encoding="utf-8") as output:
        output.write(f"{_START}{datetime.now():%Y-%m-%d %H:%M:%S}\n")


def tail(log: Path, lines: int = 12) -> str:
    """Return the last lines of a log, indented and without colours, as `visible` shows them."""
    return "\n".join(f"    {visible(line)}" for line in _text(log).splitlines()[-lines:])


def follow(logs: list[Path]) -> Iterator[str]:
    """Yield each new line of some logs, without colours, for ever."""
    files = [log.open(encoding="utf-8", errors="replace") for log in logs]
    for file in files:
        file.seek(0, os.SEEK_END)
    while True:
        for file in files:
            yield from (_COLOUR.sub("", line) for line in file)
        time.sleep(0.2)


def latest(log: Path) -> str:
    """Return what a program wrote since its last start."""
    return _text(log).rpartition(_START)[2]


def failure(text: str) -> str:
    """Return the last Python error in what a program wrote, after its place in the course; empty if none."""
    errors = list(_ERROR.finditer(text))
    if not errors:
        return ""
    places = _PLACE.findall(text[: errors[-1].start()])
    return visible("".join(f"{file}, line {line}: " for file, line in places[-1:]) + errors[-1].group())


def tell_of_spoilt_data(log: Path) -> bool:
    """Return whether a program said since its last start that it can't read its own data."""
    text = latest(log)
    return bool(_SPOILT.search(text)) and not _NO_RIGHT_OR_ROOM.search(text)


def _text(log: Path) -> str:
    try:
        return _COLOUR.sub("", log.read_text(encoding="utf-8", errors="replace"))
    except FileNotFoundError:
        return ""
