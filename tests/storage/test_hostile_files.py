"""Files damaged at random, and what is no file, give a clear error and cost no memory."""

import os
import random

import pytest

import fastdnn
from fastdnn import ModelFileError
from scripts.corrupt_files import corrupt, damaged, parts_of, sealed, with_document, write_anew
from tests.storage.hostile import BINARY, GOLDEN, refuse


def test_a_sealed_file_is_the_file():
    # So the files below are refused for what was changed, not for how that was done.
    for content in GOLDEN.values():
        assert sealed(*parts_of(content)) == content


def test_an_edit_that_changes_nothing_loads(path):
    for content in GOLDEN.values():
        write_anew(path, with_document(content, lambda header, document: None))
        fastdnn.load(path)


def test_random_damage(tmp_path):
    outcomes = corrupt(1000, 20, tmp_path)
    assert outcomes["refused"] > 300
    assert outcomes["loaded"] > 20


def test_no_damage_goes_unnoticed_where_it_is_not_sealed(path):
    draw = random.Random(1)
    for content in GOLDEN.values():
        for _ in range(20):
            changed = bytearray(content)
            changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
            refuse(path, bytes(changed), "Cannot load")


def test_flipped_bits_are_noticed_all_along_a_file(path):
    content = min(GOLDEN.values(), key=len)
    for position in range(0, len(content), 3):
        changed = bytearray(content)
        changed[position] ^= 1 << (position % 8)
        write_anew(path, changed)
        with pytest.raises(ModelFileError):
            fastdnn.load(path)


def test_truncations_are_noticed_all_along_a_file(path):
    for size in range(0, len(BINARY), 2):
        write_anew(path, BINARY[:size])
        with pytest.raises(ModelFileError):
            fastdnn.load(path)


def test_the_script_damages_in_a_way_that_can_be_repeated():
    first, second = (damaged(random.Random(7), BINARY) for _ in range(2))
    assert first == second != BINARY


def test_a_file_that_is_missing(path):
    with pytest.raises(ModelFileError, match=r"No such file.*Give the path of a file"):
        fastdnn.load(path)


def test_a_name_that_no_file_can_have(path):
    with pytest.raises(ModelFileError, match="null"):
        fastdnn.load(f"{path}\0")
    with pytest.raises(ModelFileError, match="null"):
        fastdnn.DNNRegressor().save(f"{path}\0")


def test_a_folder(path):
    with pytest.raises(ModelFileError, match=r"regular file|directory|denied"):
        fastdnn.load(path.parent)


@pytest.mark.skipif(os.name != "posix", reason="files of POSIX")
def test_pipes_and_devices_are_not_waited_for(path):
    os.mkfifo(path)
    for other in (path, "/dev/zero", "/dev/null"):
        with pytest.raises(ModelFileError, match="not a regular file"):
            fastdnn.load(other)


@pytest.mark.skipif(os.name != "posix", reason="links of POSIX")
def test_a_link_to_itself(path):
    path.symlink_to(path)
    with pytest.raises(ModelFileError, match="Cannot load"):
        fastdnn.load(path)
    with pytest.raises(ModelFileError, match="Cannot save"):
        fastdnn.DNNRegressor().save(path)


def test_a_file_that_may_not_be_read(path, monkeypatch):
    def refuse_to_open(*_):
        raise PermissionError(13, "Permission denied")

    write_anew(path, BINARY)
    monkeypatch.setattr(os, "open", refuse_to_open)
    with pytest.raises(ModelFileError, match=r"Permission denied.*may read"):
        fastdnn.load(path)


def test_a_file_that_ends_while_it_is_read(path, monkeypatch):
    write_anew(path, BINARY)
    cut_off = os.fstat

    def fstat(descriptor):
        status = cut_off(descriptor)
        os.truncate(path, len(BINARY) - 5)
        return status

    monkeypatch.setattr(os, "fstat", fstat)
    with pytest.raises(ModelFileError, match="ends early"):
        fastdnn.load(path)
