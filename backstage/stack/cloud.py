"""What a browser elsewhere sees of this machine, where the course runs in Codespaces or on Binder."""

import os
from urllib.parse import urlsplit

from backstage.stack.texts import words


def in_codespaces() -> bool:
    """Return whether this machine is a codespace."""
    return os.environ.get("CODESPACES") == "true" and bool(os.environ.get("CODESPACE_NAME"))


def in_hub() -> bool:
    """Return whether a hub started JupyterLab, as on Binder: nothing else is reached from outside then."""
    return below() != "/"


def below() -> str:
    """Return the path below which JupyterLab has its pages: ``/``, or the hub's, such as ``/user/ann/``."""
    return os.environ.get("JUPYTERHUB_SERVICE_PREFIX") or "/"


def origin() -> str:
    """Return how JupyterLab's address begins in a browser: no other port leads into a codespace."""
    domain = os.environ.get("GITHUB_CODESPACES_PORT_FORWARDING_DOMAIN") or "app.github.dev"
    return f"https://{os.environ['CODESPACE_NAME']}-8888.{domain}"


def address(url: str, page: str) -> str:
    """Return the address under which the attendee's browser finds a page.

    Parameters
    ----------
    url : str
        Its address on this machine, such as ``http://127.0.0.1:5555/flower``.
    page : str
        Its path inside JupyterLab, such as ``flower``.
    """
    if in_hub():
        prefix = os.environ.get("JUPYTERHUB_PUBLIC_URL") or below()
        return f"{prefix.rstrip('/')}/{page}"
    if in_codespaces():
        token = f"?{query}" if (query := urlsplit(url).query) else ""
        return f"{origin()}/{page}{token}"
    return url


def limits() -> str:
    """Return, in words, when a session in a cloud ends and how to keep one's work; nothing elsewhere."""
    if in_codespaces():
        return words("codespaces") + words("how-to-save")
    if in_hub():
        return (words("binder") if os.environ.get("BINDER_LAUNCH_HOST") else "") + words("how-to-save")
    return ""
