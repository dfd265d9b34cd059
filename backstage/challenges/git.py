"""Git, called so that it works on any machine: without identity, signing, hooks, questions or trust."""

import os
import shutil
import subprocess
from io import BytesIO
from tempfile import TemporaryDirectory

from backstage.challenges.files import Files
from backstage.stack.environment import of_child
from backstage.stack.texts import refusal
from workshop.errors import WorkshopError
from workshop.state_folder import ROOT

NAME, EMAIL = "workshop", "workshop@localhost"
"""Who makes the commits that the course makes itself."""

_OPTIONS = ["-c", f"core.hooksPath={os.devnull}", "-c", "log.showSignature=false"]
_ENVIRONMENT = {
    "GIT_AUTHOR_NAME": NAME,
    "GIT_AUTHOR_EMAIL": EMAIL,
    "GIT_COMMITTER_NAME": NAME,
    "GIT_COMMITTER_EMAIL": EMAIL,
    "GIT_TERMINAL_PROMPT": "0",
}


def is_used() -> bool:
    """Return whether the course's folder itself is the top of a git work tree that has a commit."""
    return bool(shutil.which("git") and (ROOT / ".git").exists() and commit_of("HEAD"))


def git(*arguments: str, given: bytes = b"", **environment: str) -> bytes:
    """Run git in the course's folder and return what it writes.

    Parameters
    ----------
    *arguments : str
        What follows ``git`` on a command line.
    given : bytes
        Its standard input.
    **environment : str
        Variables for git.

    Raises
    ------
    WorkshopError
        If git ends with an error.
    """
    # With both folders given, git neither looks for a repository further up nor asks who owns it.
    where = [f"--git-dir={ROOT / '.git'}", f"--work-tree={ROOT}"]
    done = subprocess.run(
        ["git", *where, *_OPTIONS, *arguments],
        cwd=ROOT,
        env=of_child(_ENVIRONMENT | environment),
        input=given,
        capture_output=True,
    )
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip() or f"exit code {done.returncode}"
        raise refusal("git-fails", command=arguments[0], said=said, root=ROOT)
    return done.stdout


def line(*arguments: str, given: bytes = b"", **environment: str) -> str:
    """Return the one line that git writes; see `git`."""
    return git(*arguments, given=given, **environment).decode(errors="surrogateescape").strip()


def names(*arguments: str) -> list[str]:
    """Return the names that git writes with ``-z``."""
    return [os.fsdecode(name) for name in git(*arguments).split(b"\0") if name]


def commit_of(revision: str) -> str | None:
    """Return the full id of a commit; None if there is none of that name."""
    try:
        return line("rev-parse", "--quiet", "--verify", f"{revision}^{{commit}}")
    except WorkshopError:
        return None


def read(commit: str) -> Files:
    """Return the regular files of a commit, byte for byte."""
    entries = [entry.partition("\t") for entry in names("ls-tree", "-r", "-z", "--full-tree", commit)]
    regular = [(about.split()[2], path) for about, _, path in entries if about.startswith("100")]
    blobs = "".join(f"{blob}\n" for blob, _ in regular)
    output = BytesIO(git("cat-file", "--batch", given=blobs.encode()))
    files: Files = {}
    for _, path in regular:
        files[path] = output.read(int(output.readline().split()[2]))
        output.readline()
    return files


def commit(parent: str, files: Files, message: str, date: str) -> str:
    """Make a commit and return its id, without a change to branches, index or files.

    Parameters
    ----------
    parent : str
        The full id of the commit before it.
    files : Files
        What differs from that. The bytes are stored as they are, whatever git's settings say about line ends.
    message : str
        The commit's message.
    date : str
        Seconds since 1970 and the time zone, such as ``1700000000 +0000``.
    """
    with TemporaryDirectory() as folder:
        index = f"{folder}/index"
        git("read-tree", parent, GIT_INDEX_FILE=index)
        for path, data in files.items():
            blob = line("hash-object", "-w", "--stdin", given=data)
            git("update-index", "--add", "--cacheinfo", f"100644,{blob},{path}", GIT_INDEX_FILE=index)
        tree = line("write-tree", GIT_INDEX_FILE=index)
    made = ("commit-tree", tree, "-p", parent, "-m", message)
    return line(*made, GIT_AUTHOR_DATE=date, GIT_COMMITTER_DATE=date)
