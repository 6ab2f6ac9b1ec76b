"""The compile cache, in processes of their own, and kernels called from Python."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import fastdnn

pytestmark = pytest.mark.needs_jit

PACKAGE = Path(fastdnn.__file__).parent

# The kernels without the estimators: importing scikit-learn takes seconds a process.
KERNELS_ALONE = """
import sys, types
package = types.ModuleType("fastdnn")
package.__path__ = [{package!r}]
sys.modules["fastdnn"] = package
"""
CALL_RELU = """
import numpy as np
from fastdnn.kernels import relu
print(relu(np.array([-1.0, 2.0])))
"""
RESULT = "[0. 2.]\n"


def run_python(code, cache, *options):
    environment = {
        name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"
    }
    environment |= {"FASTDNN_CACHE_DIR": str(cache), "PYTHONPATH": str(PACKAGE.parent)}
    return subprocess.run(
        [sys.executable, *options, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


def run_kernels(code, cache):
    """Run code on the kernels alone in a new process; return what it prints."""
    done = run_python(KERNELS_ALONE.format(package=str(PACKAGE)) + code, cache)
    assert done.returncode == 0, done.stderr
    return done.stdout


def call_relu(cache, package=PACKAGE):
    """Call a cheap entry point in a new process; return what it says on stderr."""
    done = run_python(KERNELS_ALONE.format(package=str(package)) + CALL_RELU, cache)
    assert (done.returncode, done.stdout) == (0, RESULT), done.stderr
    return done.stderr


def cached_files(cache):
    return {path: path.stat().st_mtime_ns for path in cache.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def cold_run(tmp_path_factory):
    """Return a cache that one process has filled, and what that process said."""
    cache = tmp_path_factory.mktemp("cache")
    return cache, call_relu(cache)


@pytest.fixture
def warm_cache(cold_run, tmp_path):
    return shutil.copytree(cold_run[0], tmp_path / "cache")


def test_first_run_announces_itself_and_fills_the_cache(cold_run):
    cache, said = cold_run
    assert "fastdnn is compiling" in said
    assert sorted(path.suffix for path in cached_files(cache)) == [".nbc", ".nbi"]
    assert all("relu" in path.name for path in cached_files(cache))


@pytest.mark.skipif(os.name != "posix", reason="modes are those of POSIX")
def test_cache_folders_belong_to_the_user_alone(cold_run):
    folders = [path for path in cold_run[0].rglob("*") if path.is_dir()]
    assert len(folders) == 2
    assert {stat.S_IMODE(path.stat().st_mode) for path in folders} == {0o700}


def test_second_run_is_silent_and_writes_nothing(warm_cache):
    before = cached_files(warm_cache)
    assert call_relu(warm_cache) == ""
    assert cached_files(warm_cache) == before


def truncate(content):
    return content[: len(content) // 2]


def corrupt(content):
    return content[::-1]


@pytest.mark.parametrize("damage", [truncate, corrupt])
@pytest.mark.parametrize("suffix", ["nbc", "nbi"])
def test_damaged_file_is_replaced_with_a_warning(suffix, damage, warm_cache):
    [path] = warm_cache.rglob(f"*.{suffix}")
    path.write_bytes(damage(path.read_bytes()))
    said = call_relu(warm_cache)
    assert "RuntimeWarning: fastdnn's compile cache in" in said
    assert "damaged" in said
    assert call_relu(warm_cache) == ""


@pytest.mark.skipif(os.name != "posix", reason="modes are those of POSIX")
@pytest.mark.parametrize(
    ("which", "mode"), [(0, 0o770), (1, 0o707)], ids=["group-outer", "world-inner"]
)
def test_folder_that_others_can_write_is_neither_read_nor_written(which, mode, warm_cache):
    folders = sorted(path for path in warm_cache.rglob("*") if path.is_dir())
    folders[which].chmod(mode)
    [code] = warm_cache.rglob("*.nbc")
    code.write_bytes(b"what others may have put there")
    before = cached_files(warm_cache)
    said = call_relu(warm_cache)
    assert "can be written by other users" in said
    assert "FASTDNN_CACHE_DIR" in said
    assert "RuntimeWarning" not in said
    assert cached_files(warm_cache) == before


def test_impossible_location_means_no_cache(tmp_path):
    file = tmp_path / "file"
    file.write_text("not a folder")
    assert "compiles without a cache" in call_relu(file / "cache")
    assert cached_files(tmp_path).keys() == {file}


def test_unwritable_location_means_no_cache(tmp_path):
    tmp_path.chmod(0o500)
    if os.access(tmp_path, os.W_OK):
        # As root, in containers: the test above covers the same branch there.
        pytest.skip("this user may write whatever the mode of a folder")
    assert "compiles without a cache" in call_relu(tmp_path)
    assert not cached_files(tmp_path)


def test_changed_source_uses_another_folder(warm_cache, tmp_path):
    changed = tmp_path / "fastdnn"
    shutil.copytree(PACKAGE / "kernels", changed / "kernels")
    for name in ("_jit.py", "_kernel_compiler.py", "_cache.py"):
        shutil.copy(PACKAGE / name, changed)
    # The file of relu itself stays as it is.
    with (changed / "kernels" / "elementary.py").open("a") as source:
        source.write("# changed\n")
    before = cached_files(warm_cache)
    assert "fastdnn is compiling" in call_relu(warm_cache, changed)
    after = cached_files(warm_cache)
    assert before.items() <= after.items()
    assert len({path.parent for path in after}) == 2


def test_importing_the_package_compiles_nothing(tmp_path):
    done = run_python("import fastdnn, fastdnn.kernels", tmp_path, "-W", "error")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []


CALL_KERNEL = """
import numba
from fastdnn.kernels.activations import relu

@numba.njit
def caller(z):
    return relu(z)

if {compiled_first}:
    assert caller(2.0) == 2.0
try:
    relu(2.0)
except TypeError as error:
    print(error)
assert caller(-2.0) == 0.0
"""


@pytest.mark.parametrize("compiled_first", [False, True])
def test_kernel_called_from_python_is_a_type_error(compiled_first, tmp_path):
    said = run_kernels(CALL_KERNEL.format(compiled_first=compiled_first), tmp_path)
    assert "compiled code only" in said


KERNEL_THAT_MAKES_AN_ARRAY = """
import numpy as np
from fastdnn._jit import entry_point, kernel

@kernel
def make(n):
    return np.zeros(n)

@entry_point
def caller(n):
    return make(n).size

try:
    caller(3)
except TypeError as error:
    print(error)
"""


def test_kernels_that_make_arrays_are_refused(tmp_path):
    said = run_kernels(KERNEL_THAT_MAKES_AN_ARRAY, tmp_path)
    assert "the kernel make makes an array or another object" in said


KERNEL_THAT_RETURNS_ITS_ARGUMENT = """
import numpy as np
from fastdnn._jit import entry_point, kernel

@kernel
def first_row(A):
    return A[:1]

@entry_point
def made(n, value):
    return first_row(np.full((1, n), value))

kept = []
for value in range(50):
    kept.append(made(100, float(value)))
    made(100, -1.0)  # would take the memory, were it free
print([row[0, 0] for row in kept] == list(range(50)))
"""


def test_an_array_that_goes_through_a_kernel_keeps_its_memory(tmp_path):
    assert run_kernels(KERNEL_THAT_RETURNS_ITS_ARGUMENT, tmp_path) == "True\n"


KERNELS_WITH_CONSTANTS = """
import numpy as np
from fastdnn._jit import entry_point, kernel
from fastdnn.kernels.views import vector

@kernel
def larger(x, limit):
    return max(x, limit)

@kernel
def part(A, start):
    return vector(A, start, 1)[0]

@entry_point
def caller(A, start):
    return larger(3, 5), larger(7, 5), larger(A.size, 5), part(A, 0) + part(A, start)

print(caller(np.arange(4.0), 2), len(larger.overloads), len(part.overloads))
"""


def test_constants_make_no_kernels_of_their_own(tmp_path):
    assert run_kernels(KERNELS_WITH_CONSTANTS, tmp_path) == "(5, 7, 5, 2.0) 1 1\n"


NUMBA_BESIDE_KERNELS = """
import operator
import numba
import numpy as np
from numba import types
from numba.core.registry import cpu_target
from fastdnn.kernels import relu

relu(np.array([-1.0, 2.0]))
known = cpu_target.typing_context.resolve_value_type(operator.add)

@numba.njit
def add(a, b, n):
    return np.full(n, max(a, b)) + int(b)

print(type(known) is types.Function, add(1.0, 2.5, 2))
"""


def test_numba_itself_stays_as_it_was(tmp_path):
    assert run_kernels(NUMBA_BESIDE_KERNELS, tmp_path) == "True [4.5 4.5]\n"


KERNEL_WITH_A_TYPE_ERROR = """
import numba
from fastdnn._jit import entry_point, kernel

@kernel
def mixed(x):
    return x + "a"

@entry_point
def caller(x):
    return mixed(x)

for _ in range(2):
    try:
        caller(1.0)
    except numba.TypingError as error:
        print("add" in str(error), "mixed" in str(error))
"""


def test_type_errors_in_kernels_are_said_every_time(tmp_path):
    assert run_kernels(KERNEL_WITH_A_TYPE_ERROR, tmp_path) == "True True\nTrue True\n"
