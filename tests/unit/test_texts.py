"""The texts of the checks are data: each that a module uses is in the file, each in the file is used."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest

from backstage import challenges
from backstage.challenges.verdict import texts
from backstage.stack.texts import _texts

CODE = re.compile(r"(ENV|C\d)-[A-Z-]+")
FOLDER = Path(challenges.__file__).parent
TREES = {path.name: ast.parse(path.read_text(encoding="utf-8")) for path in FOLDER.glob("*.py")}
FUNCTIONS = [
    (name, function)
    for name, tree in TREES.items()
    for function in ast.walk(tree)
    if isinstance(function, ast.FunctionDef)
]
TEXTS: dict[str, str] = {**texts()["verdicts"], **texts()["phrases"]}
WRITTEN_OUT = {
    node.value for tree in TREES.values() for node in ast.walk(tree) if isinstance(node, ast.Constant)
}


def names_in(node: ast.AST) -> Iterator[str]:
    """Yield the names of texts in a piece of code; where one is made of parts, all that it can be."""
    for each in ast.walk(node):
        if isinstance(each, ast.JoinedStr):
            parts = [part.value if isinstance(part, ast.Constant) else "*" for part in each.values]
            pattern = re.escape("".join(parts)).replace(r"\*", "[A-Z]+")
            yield from (name for name in TEXTS.keys() - WRITTEN_OUT if re.fullmatch(pattern, name))
        elif isinstance(each, ast.Constant) and (each.value in TEXTS or CODE.fullmatch(str(each.value))):
            yield each.value


def meanings(module: str, function: ast.FunctionDef) -> dict[str, ast.AST]:
    """Return what the names in a function stand for: functions and values of its module, its own values."""
    tree = TREES[module]
    found: dict[str, ast.AST] = {each.name: each for each in tree.body if isinstance(each, ast.FunctionDef)}
    for node in [*tree.body, *ast.walk(function)]:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found[node.targets[0].id] = node.value
    return found


def calls(module: str, function: ast.FunctionDef) -> Iterator[tuple[set[str], set[str]]]:
    """Yield, for each text that a function asks for, the names it may have, and for which places it gives."""
    known = meanings(module, function)
    for call in ast.walk(function):
        if not isinstance(call, ast.Call) or getattr(call.func, "id", "") not in ("say", "phrase"):
            continue
        which = call.args[0]
        names = set(names_in(which))
        for each in [each.id for each in ast.walk(which) if isinstance(each, ast.Name) and not names]:
            names |= set(names_in(known[each])) if each in known else set()
        given = {keyword.arg for keyword in call.keywords if keyword.arg}
        for several in [keyword.value.id for keyword in call.keywords if not keyword.arg]:
            of_another = {"address", "part", "text", "next_step", "mine"}  # what join wrote down
            given |= {key.value for key in known[several].keys} if several in known else of_another
        yield names, given


@pytest.mark.parametrize(("module", "function"), FUNCTIONS, ids=lambda each: getattr(each, "name", each))
def test_each_text_that_is_asked_for_is_there_and_gets_what_belongs_in_its_places(
    module: str, function: ast.FunctionDef
) -> None:
    for names, given in calls(module, function):
        assert names, "no text has this name"
        for name in names:
            places = {place for _, place, _, _ in Formatter().parse(TEXTS[name]) if place}
            assert places <= given, (name, places - given)


def test_each_text_is_used() -> None:
    used = {name for tree in TREES.values() for name in names_in(tree)}
    assert used == set(TEXTS)


@pytest.mark.parametrize("code", texts()["verdicts"])
def test_every_verdict_has_three_short_sentences_at_most(code: str) -> None:
    seen, _, step = texts()["verdicts"][code].partition("\nNext: ")
    assert bool(step) != code.endswith("-PASSED")
    assert len([each for each in seen.replace("tasks.py", "").split(". ") if each]) <= 2
    assert len(step) < 110


def test_each_text_of_the_services_and_a_class_is_used() -> None:
    rooms = [FOLDER.parent / room for room in ("stack", "challenges", "classroom")]
    paths = [path for room in rooms for path in room.glob("*.py") if path.name != "texts.py"]
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in paths]
    calls = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)]
    asked = [call.args[0] for call in calls if getattr(call.func, "id", "") in ("words", "refusal")]
    patterns = {re.sub(r"\{.*?\}", "[a-z-]+", ast.unparse(name).strip("f'\"")) for name in asked}
    matches = {(name, each) for name in _texts() for each in patterns if re.fullmatch(each, name)}
    assert ({name for name, _ in matches}, {each for _, each in matches}) == (set(_texts()), patterns)
