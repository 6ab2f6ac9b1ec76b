"""Fixtures for all tests."""

import pytest

from fastdnn.teams import cpus, crowding
from tests.pairwise import is_drawn


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Leave all but a pairwise covering of a cross product to runs that are exhaustive."""
    for item in items:
        if (
            item.get_closest_marker("pairwise")
            and hasattr(item, "callspec")
            and not is_drawn(item)
        ):
            item.add_marker(pytest.mark.exhaustive)


@pytest.fixture(scope="module")
def four_cpus():
    """Let teams have up to four workers, whatever the machine and what else runs on it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cpus, "usable_cpus", lambda: 4)
        patch.setattr(crowding, "_are_too_many", lambda n_workers: False)
        patch.setattr(crowding.crowding, "begin", lambda: None)
        yield
