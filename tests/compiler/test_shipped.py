"""Compiled code that the package brings: found, refused, and never taken for another."""

import json

import numba
import pytest
from numba import types
from numba.core import serialize
from numba.core.registry import cpu_target

from fastdnn.compiler import cache as cache_module
from fastdnn.compiler import entries, shipped
from fastdnn.compiler.cache import KernelCache
from fastdnn.compiler.cache_folder import Folder
from fastdnn.compiler.jit import entry_point
from fastdnn.compiler.target import Target

pytestmark = pytest.mark.needs_jit

CONTENTS = "contents.json"
FLOATS = (types.float64,)


def doubled(x):
    return x + x


def here():
    return Target.of(cpu_target.target_context.codegen())


def kind_like_this():
    """Return a kind of processors that is not this one's, and whose code runs here."""
    return here()._replace(features=here().features + ",-nonsense")


class Keeping(KernelCache):
    """A cache that keeps what is compiled as entries for one kind of processors."""

    def load_overload(self, sig, target_context):
        return None

    def save_overload(self, sig, data):
        key = self._key(sig, kind_like_this())
        self.kept = self._name(key), key, serialize.dumps(data._reduce())


@pytest.fixture(scope="module")
def made():
    """Return the name, the key and the code of an entry."""
    function = entry_point(doubled)
    function._cache = Keeping(doubled)
    function.compile(FLOATS)
    return function._cache.kept


@pytest.fixture
def files(made, tmp_path, monkeypatch):
    """Return the files that the package brings; the cache is empty."""
    files = files_of(*made)
    folder = Folder(tmp_path / "own", ("fastdnn",), is_public=False, trusts_groups=True)
    monkeypatch.setattr(cache_module, "_open_folder", lambda: folder)
    monkeypatch.setattr(cache_module, "_in_use", {})
    monkeypatch.setattr(shipped, "_read", files.get)
    forget()
    yield files
    forget()


def files_of(name, key, code, entry=None):
    """Return what a package brings for one kind: an entry, or what is in its place."""
    return shipped.files({kind_like_this(): {name: entry or entries.entry(key, code)}})


def forget():
    shipped.kinds.cache_clear()
    shipped._opened.cache_clear()


def load():
    return KernelCache(doubled).load_overload(FLOATS, cpu_target.target_context)


def change_contents(files, **changes):
    files[CONTENTS] = json.dumps(
        json.loads(files[CONTENTS]) | changes, sort_keys=True
    ).encode()


def change_kinds(files, *targets):
    change_contents(files, kinds=[shipped.Kind(each, "", {})._asdict() for each in targets])


def test_code_of_a_kind_that_fits_is_loaded_and_not_stored(files):
    loaded = load()
    assert loaded.signature.args == FLOATS
    assert loaded.entry_point(1.5) == 3.0
    assert not list(cache_module._open_folder().path.iterdir())


def test_it_is_looked_at_before_the_cache(files, made, monkeypatch):
    asked = []
    monkeypatch.setattr(KernelCache, "_load_stored", lambda *args: asked.append(args))
    assert load() is not None
    assert not asked
    files.update(files_of("other", *made[1:]))
    forget()
    assert load() is None
    assert len(asked) == 1


def test_a_cache_that_is_disabled_does_not_load_it(files):
    cache = KernelCache(doubled)
    cache.disable()
    assert cache.load_overload(FLOATS, cpu_target.target_context) is None


def half(content):
    return content[: len(content) // 2]


DAMAGES = {
    "half an archive": lambda files, made: files.update({"0.xz": half(files["0.xz"])}),
    "no archive": lambda files, made: files.pop("0.xz"),
    "half an entry": lambda files, made: files.update(
        files_of(*made, half(entries.entry(*made[1:])))
    ),
    "another bit": lambda files, made: files.update(
        files_of(*made, entries.entry(*made[1:])[:-1] + b"!")
    ),
    "no pickle": lambda files, made: files.update(files_of(*made[:2], b"no pickle")),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damaged_code_is_compiled_with_a_warning(damage, files, made):
    damage(files, made)
    function = entry_point(doubled)
    with pytest.warns(RuntimeWarning, match="brings damaged compiled code"):
        assert function(1.5) == 3.0
    function = entry_point(doubled)  # from the cache by now
    with pytest.warns(RuntimeWarning, match="brings damaged compiled code"):
        assert function(1.5) == 3.0
    assert len(list(cache_module._open_folder().path.iterdir())) == 1


def test_an_entry_is_not_taken_for_that_of_another_function(files, made):
    name, key, code = made
    files.update(files_of(name, key + b" ", code))
    assert load() is None


@pytest.mark.parametrize(
    "name", ["fastdnn", "Python", "NumPy", "numba", "llvmlite", "numba's BOUNDSCHECK"]
)
def test_code_of_other_versions_is_left_out_with_a_line_in_the_log(name, files, caplog):
    found = entries.versions()[name]
    change_contents(files, versions=entries.versions() | {name: "0.0"})
    assert load() is None
    assert load() is None
    assert [line for line in caplog.messages if "brings" in line] == [
        "fastdnn does not use the compiled code that it brings: it was made with "
        f"{name} 0.0, here is {found}."
    ]


def test_code_of_other_source_is_left_out(files, caplog):
    change_contents(files, source="0" * 24)
    assert load() is None
    assert "made from other source" in caplog.text


def test_code_of_processors_that_have_more_is_left_out(files, caplog):
    more = kind_like_this()._replace(processor="newer", features="+nonsense")
    change_kinds(files, more)
    assert load() is None
    assert f"for other processors (newer) than this {here().processor}" in caplog.text


@pytest.mark.parametrize("contents", [b"", b"{}", b"[]", b'{"versions": 1}', b"\xff"])
def test_contents_that_cannot_be_read_are_said(contents, files, caplog):
    files[CONTENTS] = contents
    assert load() is None
    assert "cannot be read" in caplog.text


def test_a_package_that_brings_nothing_says_nothing(files, caplog):
    files.clear()
    assert shipped.kinds(here()) == ()
    assert not caplog.messages


def test_the_kind_that_uses_most_comes_first_and_a_processors_own_before_all(files):
    system = "x86_64-unknown-linux-gnu"
    features = "+avx,+avx2,+fma"
    processor = Target(system, "skylake", f"{features},+adx,+sgx")
    own, most, least = (
        Target(system, "skylake", features),
        Target(system, "broadwell", f"{features},+adx"),
        Target(system, "haswell", features),
    )
    change_kinds(files, least, own, most)
    assert [kind.target for kind in shipped.kinds(processor)] == [own, most, least]


def test_it_is_not_linked_with_other_compiled_code(files):
    function = entry_point(doubled)

    @numba.njit
    def caller(x):
        return function(x)

    with pytest.raises(RuntimeError, match="called from Python or by its address"):
        caller(1.5)
