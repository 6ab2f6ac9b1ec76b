"""Whole fits, each case against every contender, after they agree."""

import pytest

from benchmarks.cases import CASES
from benchmarks.contenders import CONTENDERS, why_missing
from benchmarks.measure import require_close


@pytest.fixture(scope="module")
def agreed():
    """Cases whose contenders have reached the same loss, which warms them up too."""
    return set()


def require_agreement(name, agreed):
    if name in agreed:
        return
    present = {who: make for who, make in CONTENDERS.items() if why_missing(who) is None}
    losses = {who: make(CASES[name])() for who, make in present.items()}
    require_close(losses, "scikit-learn", 0.02)
    agreed.add(name)


@pytest.mark.parametrize("contender", list(CONTENDERS))
@pytest.mark.parametrize("name", list(CASES))
def test_fit(benchmark, name, contender, agreed):
    if reason := why_missing(contender):
        pytest.skip(reason)  # PyTorch is optional; the reason says how to install it
    require_agreement(name, agreed)
    case = CASES[name]
    benchmark.group = f"fit {name}"
    benchmark.pedantic(CONTENDERS[contender](case), rounds=5, iterations=1)
    if benchmark.enabled:
        benchmark.extra_info["us_per_step"] = 1e6 * benchmark.stats["median"] / case.steps()
