"""Whom the cache folder trusts, and that what was opened counts, not its name."""

import errno
import os
import shutil
import stat
from pathlib import Path
from types import SimpleNamespace

import pytest

from fastdnn.compiler import cache_folder
from fastdnn.compiler.cache_folder import Folder, _is_private

pytestmark = pytest.mark.skipif(os.name != "posix", reason="modes and owners are POSIX's")
AS_ROOT = pytest.mark.skipif(
    getattr(os, "geteuid", lambda: 1)() != 0, reason="only root can give files away"
)
OTHER_USER = 54321


@pytest.fixture(autouse=True)
def no_private_group(monkeypatch):
    """Let no group be a user's own, as on systems without such groups."""
    monkeypatch.setattr(cache_folder, "_is_private", lambda group: False)


@pytest.fixture
def base(tmp_path):
    """Return a folder whose parents are trusted wherever tests keep theirs."""
    base = tmp_path / "base"
    base.mkdir(mode=0o755)
    return base


def open_below(base, is_chosen=True):
    names = "fastdnn", "digest"
    return Folder(base, names, is_public=is_chosen, trusts_groups=is_chosen)


def filled(base, is_chosen=True):
    folder = open_below(base, is_chosen)
    folder.write("entry", b"code")
    return folder


def test_what_is_written_is_read_and_leaves_nothing_else(base):
    folder = filled(base)
    assert folder.read("entry") == open_below(base).read("entry") == b"code"
    folder.write("entry", b"other")
    assert folder.read("entry") == b"other"
    assert [path.name for path in folder.path.iterdir()] == ["entry"]
    assert folder.read("missing") is None
    assert (folder.has("entry"), folder.has("missing")) == (True, False)
    folder.write("entry.2", b"")
    folder.write("other", b"")
    folder.remove("entry")
    assert [path.name for path in folder.path.iterdir()] == ["other"]


@pytest.mark.parametrize("name", ["", "fastdnn", "fastdnn/digest"])
@pytest.mark.parametrize("is_chosen", [False, True])
def test_a_folder_that_all_can_write_to_is_refused(name, is_chosen, base):
    filled(base)
    (base / name).chmod(0o777)
    with pytest.raises(PermissionError, match=r"can be written by other users$"):
        open_below(base, is_chosen)


@pytest.mark.parametrize("name", ["", "fastdnn", "fastdnn/digest"])
def test_a_folder_that_a_group_can_write_to_has_to_be_chosen(name, base):
    filled(base)
    (base / name).chmod(0o775)
    assert open_below(base, is_chosen=True).read("entry") == b"code"
    with pytest.raises(PermissionError, match="other users of its group"):
        open_below(base, is_chosen=False)


def test_the_group_that_a_user_has_alone_is_trusted(base, monkeypatch):
    filled(base)
    (base / "fastdnn").chmod(0o775)
    monkeypatch.setattr(cache_folder, "_is_private", lambda group: group == os.getgid())
    assert open_below(base, is_chosen=False).read("entry") == b"code"


@pytest.mark.parametrize(
    ("user", "group", "has_others", "is_own"),
    [
        ("ada", "ada", False, True),
        ("ada", "staff", False, False),
        ("ada", "ada", True, False),
    ],
)
def test_a_group_is_private_if_it_is_named_like_its_only_user(
    user, group, has_others, is_own, monkeypatch
):
    entry = SimpleNamespace(gr_name=group, gr_mem=[user] + has_others * ["eve"])
    monkeypatch.setattr("grp.getgrgid", lambda number: entry)
    known = SimpleNamespace(pw_name=user, pw_gid=7)
    monkeypatch.setattr("pwd.getpwuid", lambda number: known)
    assert _is_private(7) == is_own
    assert not _is_private(8)


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("inherits", [False, True])
def test_folders_in_one_of_a_group_can_be_written_by_it(inherits, base):
    group = OTHER_USER if os.geteuid() == 0 else os.getgid()
    os.chown(base, -1, group)
    base.chmod(0o2775 if inherits else 0o775)
    folder = filled(base)
    for path in (folder.path.parent, folder.path):
        assert path.stat().st_gid == group
        assert mode_of(path) & 0o777 == 0o775
        if inherits and os.uname().sysname == "Linux":
            assert mode_of(path) & stat.S_ISGID


@pytest.mark.parametrize("is_chosen", [False, True])
def test_all_that_is_made_can_be_written_by_the_user_alone_whatever_the_mask(is_chosen, base):
    before = os.umask(0)
    try:
        folder = filled(base / "outer" / "inner", is_chosen)
    finally:
        os.umask(before)
    made = [folder.path, *folder.path.parents][:4]
    assert {mode_of(path) for path in made} == {0o755 if is_chosen else 0o700}
    assert mode_of(folder.path / "entry") == 0o644
    assert open_below(base / "outer" / "inner", is_chosen).read("entry") == b"code"


@pytest.mark.parametrize("mode", [0o777, 0o1777])
@pytest.mark.parametrize("is_chosen", [False, True])
def test_parents_may_be_written_by_all_if_they_are_sticky(mode, is_chosen, base):
    filled(base)
    base.parent.chmod(mode)
    if mode == 0o1777:
        assert open_below(base, is_chosen).read("entry") == b"code"
        return
    with pytest.raises(PermissionError, match=r"can be written by other users$"):
        open_below(base, is_chosen)


@AS_ROOT
@pytest.mark.parametrize("name", ["..", ".", "fastdnn", "fastdnn/digest"])
def test_a_folder_of_another_user_is_refused(name, base):
    filled(base)
    os.chown(base / name, OTHER_USER, OTHER_USER)
    with pytest.raises(
        PermissionError, match=rf"belongs to another user \(uid {OTHER_USER}\)"
    ):
        open_below(base)


@AS_ROOT
def test_a_folder_of_root_is_trusted_by_others(base, monkeypatch):
    filled(base)
    monkeypatch.setattr(os, "geteuid", lambda: OTHER_USER)
    assert open_below(base, is_chosen=False).read("entry") == b"code"


@AS_ROOT
def test_a_file_of_another_user_is_refused_unless_a_group_shares_the_folder(base):
    folder = filled(base)
    os.chown(folder.path / "entry", OTHER_USER, -1)
    with pytest.raises(PermissionError, match="belongs to another user"):
        folder.read("entry")
    folder.path.chmod(0o775)
    assert open_below(base).read("entry") == b"code"


@pytest.mark.parametrize("mode", [0o666, 0o664])
def test_a_file_that_others_can_write_is_refused(mode, base):
    folder = filled(base)
    (folder.path / "entry").chmod(mode)
    with pytest.raises(PermissionError, match="can be written by other users"):
        folder.read("entry")


def test_a_link_or_a_pipe_in_the_place_of_a_file_is_not_read(base):
    folder = filled(base)
    (folder.path / "link").symlink_to(folder.path / "entry")
    assert folder.read("link") is None
    os.mkfifo(folder.path / "pipe")
    (folder.path / "inner").mkdir()
    for name in ("pipe", "inner"):
        with pytest.raises(PermissionError, match="not a regular file"):
            folder.read(name)


@pytest.mark.parametrize("name", ["fastdnn", "fastdnn/digest"])
def test_a_link_in_the_place_of_a_folder_of_ours_is_refused(name, base, tmp_path):
    filled(base)
    (base / name).rename(tmp_path / "elsewhere")
    (base / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PermissionError, match=f"{Path(base, name)} is a symbolic link"):
        open_below(base)


def test_a_folder_that_cannot_be_made_is_named_in_full(base, monkeypatch):
    def fail(*args, **options):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), args[0])

    monkeypatch.setattr(os, "mkdir", fail)
    with pytest.raises(OSError, match=f"Read-only file system: '{base / 'fastdnn'}'"):
        open_below(base)


def test_the_base_may_be_a_link_and_what_it_leads_to_is_checked(base, tmp_path):
    filled(base)
    link = tmp_path / "link"
    link.symlink_to(base)
    assert open_below(link).read("entry") == b"code"
    base.chmod(0o777)
    with pytest.raises(PermissionError, match="can be written by other users"):
        open_below(link)


def test_a_folder_put_in_the_place_of_the_opened_one_is_not_read(base):
    folder = filled(base)
    path = folder.path
    path.rename(path.with_name("moved"))
    path.mkdir()
    (path / "entry").write_bytes(b"planted")
    assert folder.read("entry") == b"code"


def test_a_file_is_whole_or_not_there(base, monkeypatch):
    folder = filled(base)

    def fail(*args, **options):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        folder.write("entry", b"other")
    assert folder.read("entry") == b"code"
    assert [path.name for path in folder.path.iterdir()] == ["entry"]


def test_a_folder_whose_place_is_taken_is_done_without(base):
    folder = filled(base)
    shutil.rmtree(base)
    base.write_text("a file")
    assert folder.read("entry") is None
    assert not folder.has("entry")
    folder.remove("entry")
    with pytest.raises(OSError):
        folder.write("entry", b"code")


def test_without_descriptors_a_file_that_others_have_open_is_left(base, monkeypatch):
    monkeypatch.setattr(cache_folder, "_HAS_DESCRIPTORS", False)
    folder = filled(base)

    def fail(*args):
        raise PermissionError("used by another process")

    monkeypatch.setattr(os, "replace", fail)
    folder.write("entry", b"code")
    with pytest.raises(PermissionError, match="used by another"):
        folder.write("other", b"code")
    assert [path.name for path in folder.path.iterdir()] == ["entry"]


def test_without_descriptors_paths_are_used(base, monkeypatch):
    monkeypatch.setattr(cache_folder, "_HAS_DESCRIPTORS", False)
    folder = filled(base)
    assert folder.read("entry") == b"code"
    assert folder.path == Path(base, "fastdnn", "digest")
    folder.remove("entry")
    assert folder.read("entry") is None


@AS_ROOT
@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_a_folder_of_a_group_is_shared_by_its_members_alone(mask, base, monkeypatch):
    group, other = 40001, 40002
    os.chown(base, -1, group)
    base.chmod(0o2775)
    before = os.umask(mask)
    try:
        folder = filled(base)
    finally:
        os.umask(before)
    for path in (folder.path.parent, folder.path, folder.path / "entry"):
        assert path.stat().st_gid == group
        assert path.stat().st_mode & 0o777 == (0o664 if path.is_file() else 0o775)
    # Another member reads what this one has made, and one who is none does not.
    for path in (folder.path.parent, folder.path, folder.path / "entry"):
        os.chown(path, OTHER_USER, -1)
    monkeypatch.setattr(os, "getgroups", lambda: [group])
    assert open_below(base).read("entry") == b"code"
    monkeypatch.setattr(os, "getgroups", lambda: [other])
    with pytest.raises(PermissionError, match="belongs to another user"):
        open_below(base)


@AS_ROOT
def test_a_sticky_base_is_no_folder_of_a_group(base):
    base.chmod(0o1777)
    os.chown(base, -1, 40001)
    folder = filled(base)
    for path in (folder.path.parent, folder.path):
        assert path.stat().st_mode & 0o7777 == 0o755
    assert (folder.path / "entry").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(
    ("is_chosen", "modes"), [(True, (0o755, 0o644)), (False, (0o700, 0o600))]
)
def test_what_is_made_in_a_chosen_folder_can_be_read_whatever_the_mask(is_chosen, modes, base):
    before = os.umask(0o077)
    try:
        folder = filled(base / "new", is_chosen)
    finally:
        os.umask(before)
    assert [mode_of(base / "new"), mode_of(folder.path)] == [modes[0]] * 2
    assert mode_of(folder.path / "entry") == modes[1]


def test_in_a_container_of_a_user_folders_above_may_be_roots(base, monkeypatch):
    filled(base)
    status = os.lstat(base.parent)
    fields = list(status)
    fields[stat.ST_UID] = 65534
    strange = os.stat_result(fields)
    lstat = os.lstat
    monkeypatch.setattr(
        os, "lstat", lambda path: strange if path == base.parent else lstat(path)
    )
    with pytest.raises(PermissionError, match="uid 65534"):
        open_below(base)
    monkeypatch.setattr(cache_folder, "_unmapped_user", lambda: 65534)
    assert open_below(base).read("entry") == b"code"
