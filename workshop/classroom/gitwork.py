"""A person's own work where git is in use: what differs from the last commit, kept on branches."""

import os
import shutil
import tempfile
import time
from pathlib import Path

from workshop.challenges import git, source
from workshop.challenges.files import NOTE, Files, is_courses_own, is_file, present, remove
from workshop.challenges.starters import Level
from workshop.classroom import branches
from workshop.classroom.obstacles import Refused, check
from workshop.machine import ROOT

_HALF_DONE = {
    "MERGE_HEAD": "merge",
    "CHERRY_PICK_HEAD": "cherry-pick",
    "REVERT_HEAD": "revert",
    "rebase-merge": "rebase",
    "rebase-apply": "rebase",
}


class GitWork:
    """The work in this folder, and the branches that keep such work."""

    def refuse_if_stuck(self) -> None:
        """Refuse in the middle of a merge and the like, or where git can't write.

        Raises
        ------
        Refused
            If so.
        """
        folder = Path(git.line("rev-parse", "--absolute-git-dir"))
        for name, what in _HALF_DONE.items():
            if (folder / name).exists():
                raise Refused(
                    f"A {what} is not finished. Nothing was changed. Next: git {what} --continue, or --abort"
                )
        if unmerged := git.names("diff", "--name-only", "--diff-filter=U", "-z"):
            raise Refused(f"{unmerged[0]} is not merged. Nothing was changed. Next: mend it, then git add it")
        if (folder / "index.lock").exists():
            raise Refused(
                f"Git is busy here, or was stopped. Next: wait; if it stays, remove {folder / 'index.lock'}"
            )
        for place in {
            folder,
            *(Path(git.line("rev-parse", "--git-path", name)) for name in ("objects", "refs")),
        }:
            if not os.access(ROOT / place, os.W_OK):
                raise Refused(f"Git can't write to {ROOT / place}. Next: sudo chown -R $(id -u) '{ROOT}'")
        check(git.names("ls-files", "-z"))

    def changed(self) -> list[str]:
        """Return the files that differ from the last commit, here or in the index, and untracked ones."""
        return sorted({*self._since("HEAD"), *_diff("--cached", "HEAD")})

    def since_starter(self) -> list[str]:
        """Return the files that differ from the starter on which this work began."""
        return sorted(self._since(branches.beginning("HEAD") or "HEAD"))

    def _since(self, commit: str) -> set[str]:
        return {*_diff(commit), *_untracked()}

    def in_the_way(self, level: Level) -> list[str]:
        """Return the ignored files that stand where the starter has one."""
        tracked = {*git.names("ls-files", "-z"), *_untracked()}
        wanted = {NOTE, *git.names("ls-tree", "-r", "-z", "--name-only", "--full-tree", self.commit(level))}
        places = wanted | {parent.as_posix() for path in wanted for parent in Path(path).parents}
        return sorted(path for path in places - tracked if is_file(ROOT / path))

    def commit(self, level: Level) -> str:
        """Return the commit of a starter."""
        return branches.starter(source.find(), level)

    def replaced(self, level: Level) -> list[str]:
        """Return the files that are another, or gone, once the starter of a level is in place."""
        inside = [path for path in _untracked() if is_courses_own(path)]
        return sorted({*_diff(self.commit(level)), *inside})

    def put(self, level: Level) -> None:
        """Put a starter in place, on its branch. Everything must be saved."""
        for path in [*(path for path in _untracked() if is_courses_own(path)), *self.in_the_way(level)]:
            remove(path)
        branch = f"challenge-{level.challenge}"
        git.git("checkout", "--quiet", "--force", "--no-track", "-B", branch, self.commit(level))

    def save(self, stem: str, also: list[str] | None = None) -> str:
        """Keep what differs from the last commit on a new branch and return its name.

        The index stays as it is. If it holds something else than the last commit, that is kept too, as
        the second parent of the new commit.
        """
        paths = [*self.changed(), *(also or [])]
        files = present(paths)
        head = git.line("rev-parse", "HEAD")
        parents = [head, *_staged(head)]
        gone = [path for path in paths if path not in files]
        name = branches.new_name(stem)
        date = f"{time.time():.0f} +0000"
        git.keep(name, git.commit(parents, files, gone, f"Work on {stem}, as it was in the folder\n", date))
        return name

    def save_commits(self, level: Level) -> list[str]:
        """Keep the commits that no branch would have any more; return the names of their new branches."""
        branch = f"challenge-{level.challenge}"
        kept = [branches.keep_own(branch), branches.keep_commit("HEAD", moving=branch)]
        return [name for name in kept if name]

    def saved(self) -> list[str]:
        """Return the names of saved work, newest first."""
        order = ("--sort=-refname", "--sort=-committerdate", "--format=%(refname:short)")
        return git.git("for-each-ref", *order, "refs/heads/my-work").decode().split()

    def read(self, name: str) -> tuple[Files, list[str]]:
        """Return the files of saved work that differ from where it began, and those it has no more."""
        paths = _diff(branches.beginning(name) or f"{name}^", name)
        files = git.read(name, paths)
        return files, [path for path in paths if path not in files]


def _diff(*arguments: str) -> list[str]:
    return git.names(
        "diff", "--name-only", "--no-renames", "--no-ext-diff", "--ignore-submodules", "-z", *arguments
    )


def _untracked() -> list[str]:
    """Return files that git neither tracks nor ignores; a repository inside this one is left alone."""
    found = git.names("ls-files", "--others", "--exclude-standard", "-z")
    return [path for path in found if not path.endswith("/")]


def _staged(head: str) -> list[str]:
    """Return a commit of what the index holds, if that is something else than the last commit."""
    with tempfile.TemporaryDirectory() as folder:
        index = Path(folder) / "index"
        shutil.copy(ROOT / git.line("rev-parse", "--git-path", "index"), index)
        tree = git.git("write-tree", index=index).decode().strip()
    if tree == git.line("rev-parse", f"{head}^{{tree}}"):
        return []
    return [git.line("commit-tree", tree, "-p", head, "-m", "Work as it was in the index")]
