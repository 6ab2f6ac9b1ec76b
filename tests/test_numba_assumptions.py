"""numba works inside as fastdnn assumes, where there is nothing to fall back to.

A case for each row that `tests/assumptions` lists. What fastdnn can do without is in the table
of `fastdnn.compiler.assumptions`; here it holds, and tests/compiler/test_assumptions.py breaks
it. To support a new version of numba, run both modules with it: a case that fails says what
has changed and where that matters.
"""

import ast
from pathlib import Path

import numba
import pytest

import fastdnn
from fastdnn.compiler import assumptions
from tests.assumptions import calling, emitting
from tests.assumptions.rows import ASSUMPTIONS

pytestmark = pytest.mark.needs_jit

PACKAGE = Path(fastdnn.__file__).parent


@pytest.mark.parametrize(("what", "files", "check"), ASSUMPTIONS)
def test_numba_works_inside_as_assumed(what, files, check):
    try:
        check()
    except Exception as error:  # an AttributeError says as much as a failed comparison
        pytest.fail(
            f"numba {numba.__version__} differs from what fastdnn relies on: {what}. "
            f"Used in fastdnn/{', fastdnn/'.join(files)}. {type(error).__name__}: {error}"
        )


@pytest.mark.parametrize("name", assumptions.ASSUMPTIONS)
def test_what_can_be_done_without_is_there(name):
    row = assumptions.ASSUMPTIONS[name]
    for each in row.names:
        assert assumptions.find(each) is not None, each
    if row.probe is not None:
        row.probe()


def imports_from_inside(path):
    """Return what a file imports from numba beyond what numba documents as its interface."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "numba":
            if node.module != "numba.extending":
                yield from (alias.name for alias in node.names)


def test_every_import_from_inside_numba_is_listed():
    """A new import from numba's inside comes with a case here, or a row of the table."""
    used = set()
    for cases in (calling, emitting):
        used.update(imports_from_inside(Path(cases.__file__)))
    for row in assumptions.ASSUMPTIONS.values():
        used.update(part for name in row.names for part in name.split("."))
    for path in sorted(PACKAGE.rglob("*.py")):
        missing = set(imports_from_inside(path)) - used - {"types", "errors"}
        assert not missing, f"{path.name} imports {missing} from numba: add what is assumed"


def test_the_rows_name_files():
    for row in ASSUMPTIONS:
        what, files, _ = row.values
        assert files and all((PACKAGE / name).is_file() for name in files), what
