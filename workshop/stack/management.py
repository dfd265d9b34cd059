"""Talks to RabbitMQ's management interface, as its administrator."""

import json
from base64 import b64encode
from typing import Any
from urllib.request import Request

from workshop.stack.direct import open_page
from workshop.stack.site import Site


def ask(site: Site, path: str, content: Any = None) -> bytes:
    """Return what RabbitMQ's management interface answers.

    Parameters
    ----------
    site : Site
        Where it is.
    path : str
        What is asked for, such as ``/api/vhosts``.
    content : object, optional
        What is sent there (as JSON); without it, something is only looked at.

    Raises
    ------
    OSError
        If it does not answer, or refuses.
    """
    login = b64encode(f"celery_user:{site.broker_password}".encode()).decode()
    headers = {"Authorization": f"Basic {login}", "Content-Type": "application/json"}
    body = None if content is None else json.dumps(content).encode()
    request = Request(site.management_url + path, body, headers)
    with open_page(request, timeout=3 if body is None else 30) as answer:
        return answer.read()
