"""Pictures are drawn without a screen, and closed after each test."""

import matplotlib
import pytest


@pytest.fixture(autouse=True)
def pyplot():
    """Return pyplot with the backend that draws into memory."""
    before = matplotlib.get_backend()
    matplotlib.use("Agg")
    from matplotlib import pyplot

    yield pyplot
    pyplot.close("all")
    matplotlib.use(before)
