"""Fixtures for all tests."""

import zlib

import pytest

from fastdnn.teams import cpus, crowding


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Leave most combinations of a sampled test to runs that are exhaustive."""
    for item in items:
        marker = item.get_closest_marker("sampled")
        # By its name: the same ones everywhere and in any selection.
        if marker and zlib.crc32(item.nodeid.encode()) % 1000 >= 1000 * marker.args[0]:
            item.add_marker(pytest.mark.exhaustive)


@pytest.fixture(scope="module")
def four_cpus():
    """Let teams have up to four workers, whatever the machine and what else runs on it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cpus, "usable_cpus", lambda: 4)
        patch.setattr(crowding, "_are_too_many", lambda n_workers: False)
        patch.setattr(crowding.crowding, "begin", lambda: None)
        yield
