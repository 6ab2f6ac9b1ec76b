"""The same bits on every processor with fused multiply-add, with any number of threads."""

import json

import pytest

from fastdnn.machine.processor import rounds_once
from tests import bits

pytestmark = [pytest.mark.needs_jit, pytest.mark.usefixtures("four_cpus")]

STORED = json.loads(bits.FILE.read_text(encoding="utf-8"))


def test_every_case_is_stored():
    assert list(STORED) == bits.NAMES
    assert len({case["digest"] for case in STORED.values()}) == len(STORED)


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("name", bits.NAMES)
def test_fits_and_predictions_have_the_stored_bits(name, n_threads):
    fitted, stored = bits.fit(name, n_threads), STORED[name]
    if rounds_once():
        assert fitted["digest"] == stored["digest"]
        return
    # Steps are rounded differently in their last bits; three epochs make little of that.
    rel = 1e-3 if name.endswith("float32") else 1e-10
    for number in ("loss", "prediction"):
        assert fitted[number] == pytest.approx(stored[number], rel=rel)
