"""Compiled code between processes: what one stores, another loads, refuses or replaces."""

import os
import platform
import shutil
import stat
import subprocess
import sys

import pytest

from fastdnn.compiler.entries import entry as entry_with
from tests.processes import (
    AS_NOBODY,
    PACKAGE,
    cached_files,
    call_relu,
    can_become_nobody,
    kernels_alone,
    run_kernels,
    run_python,
)

pytestmark = [pytest.mark.needs_jit, pytest.mark.waits_for_processes]

POSIX = pytest.mark.skipif(os.name != "posix", reason="modes and owners are those of POSIX")
AS_ROOT = pytest.mark.skipif(
    not can_become_nobody(), reason="only root, with setpriv, can become another user"
)


@pytest.fixture(scope="module")
def cold_run(tmp_path_factory):
    """Return a cache that one process has filled, and what that process said."""
    cache = tmp_path_factory.mktemp("cache")
    return cache, call_relu(cache)


@pytest.fixture
def warm_cache(cold_run, tmp_path):
    return shutil.copytree(cold_run[0], tmp_path / "cache")


def entry_of(cache):
    [entry] = cache.rglob("*.code")
    return entry


def test_first_run_announces_itself_and_fills_the_cache(cold_run):
    cache, said = cold_run
    assert "fastdnn is compiling" in said
    [entry] = cached_files(cache)
    assert entry.name.startswith("activations._relu.")


def test_second_run_is_silent_and_writes_nothing(warm_cache):
    before = cached_files(warm_cache)
    assert call_relu(warm_cache) == ""
    assert cached_files(warm_cache) == before


DAMAGES = {
    "first half": lambda content: content[: len(content) // 2],
    "reversed": lambda content: content[::-1],
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damaged_entry_is_replaced_with_a_warning(damage, warm_cache):
    entry = entry_of(warm_cache)
    entry.write_bytes(damage(entry.read_bytes()))
    said = call_relu(warm_cache)
    assert "RuntimeWarning: fastdnn's compile cache in" in said
    assert "damaged" in said
    assert call_relu(warm_cache) == ""


TWO_SIGNATURES = """
import numpy as np
from fastdnn.textbook import relu
for dtype in ("float32", "float64"):
    A = relu(np.array([[-1.0, 2.0]], dtype)[0])
    print(A.dtype, A)
"""
BOTH = "float32 [0. 2.]\nfloat64 [0. 2.]\n"


def test_an_entry_is_never_taken_for_that_of_another_signature(tmp_path):
    assert run_kernels(TWO_SIGNATURES, tmp_path) == BOTH
    first, second = tmp_path.rglob("*.code")
    contents = first.read_bytes(), second.read_bytes()
    first.write_bytes(contents[1])
    second.write_bytes(contents[0])
    done = run_python(kernels_alone(TWO_SIGNATURES), tmp_path)
    assert (done.stdout, done.returncode) == (BOTH, 0)
    assert "is compiling" in done.stderr
    assert "RuntimeWarning" not in done.stderr  # whole, but not what was asked for
    assert (first.read_bytes(), second.read_bytes()) != contents[::-1]
    assert run_python(kernels_alone(TWO_SIGNATURES), tmp_path).stderr == ""


def test_processes_that_store_at_once_leave_whole_entries(tmp_path):
    command = [sys.executable, "-c", kernels_alone(TWO_SIGNATURES)]
    environment = os.environ | {"FASTDNN_CACHE_DIR": str(tmp_path)}
    running = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    assert [process.communicate(timeout=300)[0] for process in running] == [BOTH] * 2
    assert len(cached_files(tmp_path)) == 2
    done = run_python(kernels_alone(TWO_SIGNATURES), tmp_path)
    assert (done.stdout, done.stderr) == (BOTH, "")


def test_other_processors_and_settings_have_entries_of_their_own(warm_cache):
    processor = {"NUMBA_CPU_NAME": "nehalem", "NUMBA_CPU_FEATURES": "+sse2"}
    checks = "0" if os.environ.get("NUMBA_BOUNDSCHECK", "0") != "0" else "1"
    for number, other in enumerate((processor, {"NUMBA_BOUNDSCHECK": checks}), start=2):
        if other is processor and platform.machine() not in ("x86_64", "AMD64"):
            other = {"NUMBA_OPT": "1"}
        assert "is compiling" in call_relu(warm_cache, **other)
        assert len(cached_files(warm_cache)) == number
    assert call_relu(warm_cache) == ""


def test_changed_source_uses_another_folder(warm_cache, tmp_path):
    changed = shutil.copytree(PACKAGE, tmp_path / "fastdnn")
    # The file of relu itself stays as it is.
    with (changed / "ops" / "elementary.py").open("a") as source:
        source.write("# changed\n")
    before = cached_files(warm_cache)
    assert "fastdnn is compiling" in call_relu(warm_cache, changed)
    after = cached_files(warm_cache)
    assert before.items() <= after.items()
    assert len({path.parent for path in after}) == 2


REMOVED_MEANWHILE = """
import os, shutil
import numpy as np
from fastdnn.textbook import relu, relu_prime, sigmoid
relu(np.ones(1))
shutil.rmtree(os.environ["FASTDNN_CACHE_DIR"])
relu_prime(np.ones(1))
os.closerange(3, 100)
print(sigmoid(np.zeros(1)))
"""


def test_a_folder_that_is_removed_or_closed_meanwhile_is_made_and_opened_anew(tmp_path):
    cache = tmp_path / "cache"
    assert run_kernels(REMOVED_MEANWHILE, cache) == "[0.5]\n"
    assert len(cached_files(cache)) == 2


def test_impossible_location_means_no_cache(tmp_path):
    file = tmp_path / "file"
    file.write_text("not a folder")
    assert "compiles without a cache" in call_relu(file / "cache")
    assert cached_files(tmp_path).keys() == {file}


@POSIX
@AS_ROOT
def test_an_unknown_user_without_a_home_compiles_without_a_cache():
    said = call_relu("", before=AS_NOBODY, HOME=None, XDG_CACHE_HOME=None)
    [line] = [line for line in said.splitlines() if "without a cache" in line]
    assert "home" in line
    assert "FASTDNN_CACHE_DIR" in line


@POSIX
@pytest.mark.parametrize("chosen", [False, True])
def test_folders_of_ones_own_can_be_written_by_their_user_alone(chosen, tmp_path):
    if chosen:
        call_relu(tmp_path)
    else:
        call_relu("", XDG_CACHE_HOME=str(tmp_path), HOME=str(tmp_path))
    made = {
        path for path in tmp_path.rglob("*") if path.is_dir() and "Library" not in path.parts
    }
    assert len(made) >= 2
    assert {stat.S_IMODE(path.stat().st_mode) for path in made} == {0o755 if chosen else 0o700}


def make_read_only(cache):
    for path in [*cache.rglob("*"), cache]:
        path.chmod(0o555 if path.is_dir() else 0o444)


def let_others_come_to(cache):
    for path in [cache, *cache.parents]:
        if path.stat().st_mode & 0o005 != 0o005:  # pytest's own folders
            path.chmod(0o755)


@POSIX
@AS_ROOT
def test_a_cache_that_root_has_made_is_read_by_others_and_not_written(warm_cache):
    before = cached_files(warm_cache)
    let_others_come_to(warm_cache)
    make_read_only(warm_cache)
    assert call_relu(warm_cache, before=AS_NOBODY) == ""
    # What is not in it is compiled, and the user hears once that it cannot be stored.
    said = run_python(kernels_alone(TWO_SIGNATURES), warm_cache, before=AS_NOBODY).stderr
    assert said.count("cannot store compiled code") == 1
    assert "cache" not in said.replace(str(warm_cache), "").replace("cannot store", "")
    assert cached_files(warm_cache) == before


@pytest.mark.parametrize("before", [(), pytest.param(AS_NOBODY, marks=[POSIX, AS_ROOT])])
def test_a_read_only_cache_of_ones_own_is_read(before, warm_cache):
    make_read_only(warm_cache)
    if before:
        let_others_come_to(warm_cache)
        for path in [warm_cache, *warm_cache.rglob("*")]:
            os.chown(path, 54321, 54321)
    assert call_relu(warm_cache, before=before) == ""
    for path in [warm_cache, *warm_cache.rglob("*")]:
        path.chmod(0o755)


PLANTED = """
import os, pickle

class Planted:
    def __reduce__(self):
        return os._exit, (99,)

print(pickle.dumps(Planted()).hex())
"""


@pytest.mark.parametrize("where", ["whole", "after the mark"])
def test_what_has_no_digest_is_not_unpickled(where, warm_cache):
    planted = bytes.fromhex(run_python(PLANTED, warm_cache).stdout)
    entry = entry_of(warm_cache)
    whole = entry.read_bytes()
    entry.write_bytes(planted if where == "whole" else whole[:47] + planted)
    assert "damaged" in call_relu(warm_cache)


@POSIX
@pytest.mark.parametrize(
    "how",
    ["world", *(pytest.param(how, marks=AS_ROOT) for how in ("group", "owner"))],
)
def test_an_entry_that_others_can_have_written_is_replaced_with_a_warning(how, warm_cache):
    planted = bytes.fromhex(run_python(PLANTED, warm_cache).stdout)
    entry = entry_of(warm_cache)
    # Others can give an entry a digest.
    content = entry.read_bytes()[47:]
    length = 4 + int.from_bytes(content[:4], "big")
    entry.write_bytes(entry_with(content[4:length], planted))
    if how != "world":
        os.chown(entry, *((54321, -1) if how == "owner" else (-1, 54321)))
    entry.chmod({"world": 0o646, "group": 0o664, "owner": 0o644}[how])
    said = call_relu(warm_cache)
    assert "RuntimeWarning: fastdnn's compile cache in" in said
    assert "holds an untrusted entry" in said
    assert "belongs to another user" in said or "can be written by other users" in said
    assert call_relu(warm_cache) == ""
