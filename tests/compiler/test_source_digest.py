"""The digest of the source: from files, from a zip archive, and without any source."""

import compileall
import importlib.machinery
import shutil
import sys
import zipfile

import pytest

from fastdnn.compiler.source_digest import code_digest, source_digest
from tests.processes import PACKAGE, kernels_alone, run_python

pytestmark = [pytest.mark.needs_jit, pytest.mark.waits_for_processes]

DIGEST = """
from fastdnn.compiler.source_digest import source_digest
print(source_digest())
"""
IMPORT = """
import fastdnn
print(fastdnn.__file__)
"""
SAVE = """
import tempfile
with tempfile.TemporaryDirectory() as folder:
    fastdnn.DNNClassifier(alpha=0.5).save(f"{folder}/model")
    assert fastdnn.load(f"{folder}/model").alpha == 0.5
"""
CALL = """
import numpy as np
from fastdnn.textbook import relu
print(relu(np.array([-1.0, 2.0])))
"""


def digest_of(package):
    done = run_python(kernels_alone(DIGEST, package), package.parent)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def copy(tmp_path):
    """Return a copy of the package's files."""
    ignored = shutil.ignore_patterns("__pycache__")
    return shutil.copytree(PACKAGE, tmp_path / "copy" / "fastdnn", ignore=ignored)


def without_source(package):
    """Leave of a package what Python compiles it to, as frozen applications do."""
    assert compileall.compile_dir(package, quiet=1, legacy=True)
    for file in package.rglob("*.py"):
        file.unlink()
    return package.parent


def in_archive(package):
    """Move a package into a zip archive."""
    archive = package.parent.with_suffix(".zip")
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted([*package.rglob("*.py*"), *package.rglob("*.json")]):
            file.write(path, path.relative_to(package.parent))
    shutil.rmtree(package)
    return archive


def in_archive_without_source(package):
    return in_archive(without_source(package) / "fastdnn")


@pytest.mark.parametrize("form", [without_source, in_archive, in_archive_without_source])
def test_a_package_without_files_of_source_is_imported_called_and_cached(form, copy, tmp_path):
    path, cache = form(copy), tmp_path / "cache"
    first = run_python(IMPORT + SAVE + CALL, cache, path=path)
    assert first.returncode == 0, first.stderr
    assert first.stdout.startswith(str(path))
    assert first.stdout.endswith("[0. 2.]\n")
    assert "is compiling" in first.stderr
    second = run_python(kernels_alone(CALL, path / "fastdnn"), cache)
    assert (second.stdout, second.stderr) == ("[0. 2.]\n", "")


def test_the_digest_changes_with_every_file_that_is_compiled(copy):
    digests = [digest_of(copy)]
    assert digests == [source_digest()]
    for name in (
        *("compiler/jit.py", "engine/__init__.py", "ops/elementary.py"),
        "textbook/layers.py",
    ):
        with (copy / name).open("a") as source:
            source.write("# changed\n")
        digests.append(digest_of(copy))
        assert digests[-1] not in digests[:-1], name


def test_the_digest_does_not_depend_on_what_is_not_compiled(copy):
    (copy / "estimators" / "classifier.py").write_text("")
    assert digest_of(copy) == source_digest()


@pytest.mark.parametrize("has_specification", [False, True])
def test_without_source_and_code_there_is_no_digest(has_specification, monkeypatch):
    name = "fastdnn.compiler.jit"
    left = importlib.machinery.ModuleSpec(name, object()) if has_specification else None
    monkeypatch.setattr(sys.modules[name], "__spec__", left)
    with pytest.raises(ImportError, match=rf"the module {name} (is not found|has neither)"):
        source_digest.__wrapped__()


def test_without_source_the_digest_changes_with_constants_deep_inside(copy):
    changed = copy / "textbook" / "activations.py"
    changed.write_text(
        changed.read_text().replace("np.ndenumerate(Z)", "np.ndenumerate(1 * Z)")
    )
    one = digest_of(without_source(copy) / "fastdnn")
    shutil.rmtree(copy)
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    assert digest_of(without_source(copy) / "fastdnn") != one


@pytest.mark.parametrize(
    "body", ["x + 2", "x + 1.0", "y + 1", "x in {1, 3}", "(lambda: 2)", "x - 1", "x + 1, 'a'"]
)
def test_a_digest_of_code_tells_functions_apart(body):
    def code(body):
        return compile(f"def f(x, y):\n    return {body}\n", "f", "exec")

    assert code_digest(code(body)) == code_digest(code(body))
    assert code_digest(code(body)) != code_digest(code("x + 1"))


@pytest.mark.parametrize("arguments", ["x, /, y", "x, *, y", "x, *y", "x, y, z"])
def test_a_digest_of_code_tells_signatures_apart(arguments):
    def code(arguments):
        return compile(f"def f({arguments}):\n    return x\n", "f", "exec")

    assert code_digest(code(arguments)) != code_digest(code("x, y"))


REPLACED_MEANWHILE = """
import sys
from pathlib import Path
import fastdnn.textbook
for file in Path(sys.modules["fastdnn"].__path__[0]).rglob("*.py"):
    file.write_text(file.read_text() + "# newer")
from fastdnn.compiler.source_digest import source_digest
print(source_digest())
"""


def test_files_replaced_after_the_import_do_not_count(copy):
    done = run_python(kernels_alone(REPLACED_MEANWHILE, copy), copy.parent)
    assert (done.stdout.strip(), done.returncode) == (source_digest(), 0), done.stderr


HIDDEN_MODULES = """
import pkgutil
pkgutil.iter_modules = lambda *args: iter(())
import fastdnn.textbook
from fastdnn.compiler.source_digest import source_digest
print(source_digest())
"""


def test_an_application_that_hides_its_modules_has_the_digest_of_the_imported(copy):
    digests = []
    for _ in range(2):
        done = run_python(kernels_alone(HIDDEN_MODULES, copy), copy.parent)
        assert done.returncode == 0, done.stderr
        digests.append(done.stdout)
        with (copy / "ops" / "elementary.py").open("a") as source:
            source.write("# changed\n")
    assert digests[0] != digests[1]


NEITHER_SOURCE_NOR_CODE = """
import numpy as np
from importlib.machinery import SourceFileLoader
import fastdnn.textbook
from fastdnn.compiler import source_digest as source_digest_module
source_digest_module.source_digest.cache_clear()
SourceFileLoader.get_source = lambda *args: None
get_code = SourceFileLoader.get_code
SourceFileLoader.get_code = lambda self, name: (
    None if name.startswith("fastdnn") else get_code(self, name)
)
print(fastdnn.textbook.relu(np.array([-1.0, 2.0])))
"""


def test_without_source_and_code_there_is_no_cache(tmp_path):
    done = run_python(kernels_alone(NEITHER_SOURCE_NOR_CODE), tmp_path)
    assert (done.stdout, done.returncode) == ("[0. 2.]\n", 0), done.stderr
    assert "compiles without a cache" in done.stderr
