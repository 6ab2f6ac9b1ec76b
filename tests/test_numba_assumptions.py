"""numba works inside as fastdnn assumes: a case for each row that `tests/assumptions` lists.

numba promises none of this, which is why `pyproject.toml` ends at the first version that
was not tried. To support a new one, run this module with it: a case that fails says what
has changed and where that matters.
"""

import ast
from pathlib import Path

import numba
import pytest

import fastdnn
from tests.assumptions import calling, compiling, emitting
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


def imports_from_inside(path):
    """Return what a file imports from numba beyond what numba documents as its interface."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "numba":
            if node.module != "numba.extending":
                yield from (alias.name for alias in node.names)


def test_every_import_from_inside_numba_has_its_case():
    """A new import from numba's inside comes with its assumption here, in its file's rows."""
    used = set()
    for cases in (compiling, calling, emitting):
        used.update(imports_from_inside(Path(cases.__file__)))
    listed = {name for row in ASSUMPTIONS for name in row.values[1]}
    for path in sorted(PACKAGE.rglob("*.py")):
        names = set(imports_from_inside(path)) - {"types", "errors", "register_pass"}
        missing = names - used - {"global_compiler_lock"}
        assert not missing, f"{path.name} imports {missing} from numba: add what is assumed"
        if names:
            assert path.relative_to(PACKAGE).as_posix() in listed


def test_the_rows_name_files():
    for row in ASSUMPTIONS:
        what, files, _ = row.values
        assert files and all((PACKAGE / name).is_file() for name in files), what
