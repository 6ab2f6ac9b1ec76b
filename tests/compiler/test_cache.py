"""The compile cache in one process: entries, what is missing, and where it may lie."""

import errno
import os
import threading
from pathlib import Path

import pytest
from numba import types
from numba.core.registry import cpu_target

from fastdnn.compiler import cache as cache_module
from fastdnn.compiler.cache import KernelCache
from fastdnn.compiler.cache_folder import Folder
from fastdnn.compiler.jit import entry_point
from tests.processes import cached_files

pytestmark = pytest.mark.needs_jit

POSIX = pytest.mark.skipif(os.name != "posix", reason="modes and owners are those of POSIX")


def doubled(x):
    return x + x


KINDS = [(kind,) for kind in (types.float32, types.float64, types.int64, types.complex128)]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return the folder that this process uses in a test: a new one."""
    folder = Folder(tmp_path / "own", ("fastdnn",), is_public=False, trusts_groups=True)
    monkeypatch.setattr(cache_module, "_open_folder", lambda: folder)
    monkeypatch.setattr(cache_module, "_in_use", {})
    return folder


@pytest.fixture
def compiled(folder):
    """Return what is made of a function for each of some types."""
    function = entry_point(doubled)
    for kinds in KINDS:
        function.compile(kinds)
    return function.overloads


def load(kinds):
    return KernelCache(doubled).load_overload(kinds, cpu_target.target_context)


def test_types_of_one_function_that_are_stored_at_once_are_loaded_as_themselves(
    compiled, folder
):
    barrier = threading.Barrier(2 * len(KINDS))

    def store(kinds):
        cache = KernelCache(doubled)
        barrier.wait(60)
        cache.save_overload(kinds, compiled[kinds])

    for _ in range(10):
        KernelCache(doubled).flush()
        assert not cached_files(folder.path)
        threads = [threading.Thread(target=store, args=[kinds]) for kinds in KINDS * 2]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(cached_files(folder.path)) == len(KINDS)
        assert [load(kinds).signature.args for kinds in KINDS] == KINDS


def test_what_a_killed_process_leaves_is_no_entry(compiled, folder):
    for path in cached_files(folder.path):
        path.with_name(f".{path.name}.left").write_bytes(path.read_bytes()[:100])
    assert [load(kinds).signature.args for kinds in KINDS] == KINDS


def test_a_disk_that_is_full_costs_a_line_in_the_log(compiled, folder, monkeypatch, caplog):
    assert not cache_module.missing_entries()

    def fail(*args, **options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fail)
        for kinds in KINDS[:2]:
            KernelCache(doubled).save_overload(kinds, compiled[kinds])
    [line] = caplog.messages
    reason = os.strerror(errno.ENOSPC)
    assert line == f"fastdnn cannot store compiled code in {folder.path}: {reason}"
    missing = cache_module.missing_entries()
    assert list(missing.values()) == [reason] * 2
    KernelCache(doubled).save_overload(KINDS[0], compiled[KINDS[0]])
    assert len(cache_module.missing_entries()) == 1


def test_entries_that_were_removed_are_missing(compiled, folder):
    for path in cached_files(folder.path):
        path.unlink()
    assert list(cache_module.missing_entries().values()) == [None] * len(KINDS)


def test_a_cache_that_is_disabled_neither_loads_nor_stores(compiled, folder):
    cache = KernelCache(doubled)
    cache.disable()
    assert cache.load_overload(KINDS[0], cpu_target.target_context) is None
    cache.flush()
    cache.save_overload(KINDS[0], compiled[KINDS[0]])
    assert not cached_files(folder.path)
    cache.enable()
    cache.save_overload(KINDS[0], compiled[KINDS[0]])
    assert load(KINDS[0]).signature.args == KINDS[0]
    assert cache.cache_path == str(folder.path)


@POSIX
@pytest.mark.parametrize("variable", ["FASTDNN_CACHE_DIR", "NUMBA_CACHE_DIR"])
def test_a_folder_of_a_group_has_to_be_named_for_fastdnn(
    variable, tmp_path, monkeypatch, caplog
):
    monkeypatch.setattr("fastdnn.compiler.cache_folder._is_private", lambda group: False)
    tmp_path.chmod(0o770)
    monkeypatch.delenv("FASTDNN_CACHE_DIR", raising=False)
    monkeypatch.setenv(variable, str(tmp_path))
    opened = cache_module._open_folder.__wrapped__()
    if variable == "FASTDNN_CACHE_DIR":
        assert opened.path.is_relative_to(tmp_path.resolve())
    else:
        assert opened is None
        [line] = caplog.messages
        assert f"{tmp_path} can be written by other users of its group. Set FASTDNN" in line


def test_without_a_home_or_a_digest_there_is_no_folder(monkeypatch, caplog):
    for name in ("FASTDNN_CACHE_DIR", "NUMBA_CACHE_DIR", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)

    def no_home():
        raise RuntimeError("Could not determine home directory.")

    def no_digest():
        raise ImportError("the import system does not list everything")

    monkeypatch.setattr(Path, "home", no_home)
    assert cache_module._open_folder.__wrapped__() is None
    monkeypatch.setattr(cache_module, "source_digest", no_digest)
    assert cache_module._open_folder.__wrapped__() is None
    without_home, without_digest = caplog.messages
    assert "Could not determine home directory. Set FASTDNN_CACHE_DIR to" in without_home
    assert without_digest.endswith("the import system does not list everything")
