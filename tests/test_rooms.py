"""The rooms of the package: imports point downwards only, and every room says what it is."""

import ast
from pathlib import Path

import pytest

import fastdnn

PACKAGE = Path(fastdnn.__file__).parent
# From the top down; rooms of one line do not know each other.
FLOORS = [
    ["estimators", "textbook"],
    ["storage"],
    ["models"],
    ["training"],
    ["prediction"],
    ["planning"],
    ["network", "data"],
    ["teams"],
    ["engine"],
    ["ops"],
    ["products"],
    ["machine"],
    ["compiler"],
    ["system"],
]
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}


def imported_modules(path):
    """Return the names of all modules of the package that a file imports, wherever."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            if name.split(".")[0] == "fastdnn":
                yield node.lineno, name.split(".")[1:]


def test_every_folder_is_a_room_and_every_room_a_folder():
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert folders == set(FLOOR_OF)
    at_the_top = {path.name for path in PACKAGE.glob("*.py")}
    assert at_the_top == {
        "__init__.py",
        "_load.py",
        "_old_names.py",
        "_version.py",
        "_warmup.py",
    }


@pytest.mark.parametrize("room", FLOOR_OF)
def test_a_room_imports_from_below_only(room):
    for path in (PACKAGE / room).glob("**/*.py"):
        for line, parts in imported_modules(path):
            if parts[0] == "_version":
                continue
            assert parts[0] in FLOOR_OF, f"{path}:{line}: {'.'.join(parts)}"
            is_below = FLOOR_OF[parts[0]] > FLOOR_OF[room]
            assert is_below or parts[0] == room, f"{path}:{line}: {'.'.join(parts)}"


@pytest.mark.parametrize("room", FLOOR_OF)
def test_a_room_says_what_is_in_it(room):
    text = ast.get_docstring(ast.parse((PACKAGE / room / "__init__.py").read_text())) or ""
    files = {path.stem for path in (PACKAGE / room).glob("*.py")} - {"__init__"}
    assert len(text) > 80
    if len(files) > 1:
        missing = {name for name in files if f"`{name}`" not in text}
        assert not missing, f"fastdnn/{room}/__init__.py does not name {sorted(missing)}"


def test_the_first_line_of_a_file_says_its_job():
    for path in sorted(PACKAGE.glob("**/*.py")):
        text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        first = text.split("\n")[0].strip()
        assert first.endswith((".", ":", ",")), f"{path}: {first}"
