"""The rooms of the package: imports point downwards only, and every room says what it is."""

import ast
from pathlib import Path

import pytest

import fastdnn
from tests.rooms import FLOOR_OF

PACKAGE, TESTS = Path(fastdnn.__file__).parent, Path(__file__).parent


def parsed(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def imported_names(path):
    """Return all that a file imports, wherever, with the lines."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def imported_modules(path):
    """Return the names of all modules of the package that a file imports, wherever."""
    for line, name in imported_names(path):
        if name.split(".")[0] == "fastdnn":
            yield line, name.split(".")[1:]


def test_every_folder_is_a_room_and_every_room_a_folder():
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert folders == set(FLOOR_OF)
    at_the_top = {path.name for path in PACKAGE.glob("*.py")}
    assert at_the_top == {
        "__init__.py",
        "__main__.py",
        "_load.py",
        "_old_names.py",
        "_version.py",
        "_warmup.py",
    }


@pytest.mark.parametrize("room", FLOOR_OF)
def test_a_room_imports_from_below_only(room):
    for path in (PACKAGE / room).glob("**/*.py"):
        for line, parts in imported_modules(path):
            at_the_top = {"_load", "_warmup"} if FLOOR_OF[room] == 0 else set()
            if parts[0] in {"_version", *at_the_top}:
                continue
            assert parts[0] in FLOOR_OF, f"{path}:{line}: {'.'.join(parts)}"
            is_below = FLOOR_OF[parts[0]] > FLOOR_OF[room]
            assert is_below or parts[0] == room, f"{path}:{line}: {'.'.join(parts)}"


@pytest.mark.parametrize("room", FLOOR_OF)
def test_a_room_says_what_is_in_it(room):
    text = ast.get_docstring(parsed(PACKAGE / room / "__init__.py")) or ""
    files = {path.stem for path in (PACKAGE / room).glob("*.py")} - {"__init__"}
    assert len(text) > 80
    if len(files) > 1:
        missing = {name for name in files if f"`{name}`" not in text}
        assert not missing, f"fastdnn/{room}/__init__.py does not name {sorted(missing)}"


def test_the_first_line_of_a_file_says_its_job():
    for path in sorted(PACKAGE.glob("**/*.py")):
        text = ast.get_docstring(parsed(path)) or ""
        first = text.split("\n")[0].strip()
        assert first.endswith((".", ":", ",")), f"{path}: {first}"


# -- tests ----------------------------------------------------------------------------------

#: Folders of what is about several rooms, or shared.
BESIDE_THE_ROOMS = {"assumptions", "oracle", "parity", "stored"}


def test_tests_mirror_the_rooms():
    folders = {path.parent.relative_to(TESTS).parts[0] for path in TESTS.glob("*/*.py")}
    assert folders <= set(FLOOR_OF) | BESIDE_THE_ROOMS


def test_tests_import_neither_tests_nor_benchmarks():
    for path in TESTS.rglob("*.py"):
        for line, name in imported_names(path):
            first, *others = name.split(".")
            assert first != "benchmarks", f"{path}:{line}: {name}"
            is_test = any(part.startswith("test_") for part in others)
            assert first != "tests" or not is_test, f"{path}:{line}: {name}"


def test_what_tests_share_holds_no_tests():
    """Pytest would not find them."""
    for path in TESTS.rglob("*.py"):
        if not path.name.startswith("test_"):
            names = [getattr(node, "name", "") for node in parsed(path).body]
            assert not [name for name in names if name.startswith("test_")], path
