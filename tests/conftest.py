"""Fixtures for all tests."""

import pytest

from fastdnn import _cpus


@pytest.fixture(scope="module")
def four_cpus():
    """Let teams have up to four workers, whatever machine the tests run on."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_cpus, "usable_cpus", lambda: 4)
        yield
