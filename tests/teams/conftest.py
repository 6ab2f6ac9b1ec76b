"""Crowdings of a test alone."""

import pytest

from fastdnn.teams import crowding as crowding_module
from fastdnn.teams import threads as threads_module


@pytest.fixture
def own_crowding(monkeypatch):
    """A crowding that no fit of another test has begun: where it is seen, teams work alone."""
    own = crowding_module.Crowding()
    monkeypatch.setattr(threads_module, "crowding", own)
    return own
