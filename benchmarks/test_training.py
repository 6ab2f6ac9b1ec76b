"""Whole fits, each case against scikit-learn and plain NumPy, after they agree."""

import numpy as np
import pytest

from benchmarks.cases import CASES
from benchmarks.contenders import CONTENDERS


@pytest.fixture(scope="module")
def agreed():
    """Cases whose contenders have reached the same loss, which warms them up too."""
    return set()


def require_agreement(name, agreed):
    if name in agreed:
        return
    losses = {who: make(CASES[name])() for who, make in CONTENDERS.items()}
    reference = losses["scikit-learn"]
    for who, loss in losses.items():
        assert abs(loss - reference) <= 0.02 * reference, (who, losses)
    agreed.add(name)


@pytest.mark.parametrize("contender", list(CONTENDERS))
@pytest.mark.parametrize("name", list(CASES))
def test_fit(benchmark, name, contender, agreed):
    require_agreement(name, agreed)
    case = CASES[name]
    benchmark.group = f"fit {name}"
    benchmark.pedantic(CONTENDERS[contender](case), rounds=5, iterations=1)
    steps = case.epochs * -(-case.n_samples // case.batch_size)
    benchmark.extra_info["us_per_step"] = 1e6 * benchmark.stats["median"] / steps
    assert np.isfinite(benchmark.stats["median"])
