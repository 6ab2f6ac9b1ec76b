"""Fixtures for all tests."""

import pytest

from fastdnn.teams import cpus, crowding


@pytest.fixture(scope="module")
def four_cpus():
    """Let teams have up to four workers, whatever the machine and what else runs on it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cpus, "usable_cpus", lambda: 4)
        patch.setattr(crowding, "_are_too_many", lambda n_workers: False)
        patch.setattr(crowding.crowding, "begin", lambda: None)
        yield
