"""Imports run one way: from what runs the course to the program, and inside both from above to below."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("workshop", "backstage.stack", "backstage.challenges", "backstage.classroom", "backstage.cli")
"""From below to above; what stands in none of them, such as ``backstage.__main__``, is on top."""

EDITED = {f"workshop.{name}" for name in ("tasks", "service", "demo")}
"""What attendees edit: a mistake there must not break what tells them so."""


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {name_of(path): path for room in ("workshop", "backstage") for path in (ROOT / room).rglob("*.py")}


def imported(module: str, everywhere: bool = True) -> set[str]:
    """Return the course's own modules that a module imports; with those inside of functions, too."""
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    found = set()
    for node in ast.walk(tree) if everywhere else tree.body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= names & MODULES.keys() or {node.module}
    return found & MODULES.keys() - {module, "workshop"}


def floor(module: str) -> int:
    return next((n for n, room in enumerate(ROOMS) if f"{module}.".startswith(f"{room}.")), len(ROOMS))


@pytest.mark.parametrize("module", MODULES)
def test_no_module_imports_from_a_room_above(module: str) -> None:
    assert {each for each in imported(module) if floor(each) > floor(module)} == set()


def test_there_is_no_circle() -> None:
    order = TopologicalSorter({module: imported(module, everywhere=False) for module in MODULES})
    assert {*order.static_order()} >= MODULES.keys()


@pytest.mark.parametrize(
    "module", [m for m in MODULES if m.startswith(("workshop.delivery", "workshop.live", "workshop.maps"))]
)
def test_what_delivers_and_shows_tasks_does_not_know_them(module: str) -> None:
    assert "workshop.tasks" not in imported(module)


RUN_ALONE = {"backstage.challenges.fresh"}
"""This one imports what attendees edit, in a process of its own."""


@pytest.mark.parametrize("module", [m for m in MODULES if m.startswith("backstage") and m not in RUN_ALONE])
def test_what_runs_the_course_does_not_import_what_attendees_edit(module: str) -> None:
    assert imported(module) & EDITED == set()
