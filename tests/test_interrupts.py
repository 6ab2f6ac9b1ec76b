"""Interrupts at any instruction: no hang, no thread left, and the next fit has its bits."""

import _thread
import faulthandler
import random

import numpy as np
import pytest

from fastdnn import _interruptible, _jit, _kernel_compiler
from fastdnn._jit import entry_point, kernel, make_ready
from tests import interrupts
from tests.test_interruptible import Interrupt, raise_in

pytestmark = pytest.mark.needs_jit

# Instructions at which each case is interrupted.
_N_POSITIONS = 40


@pytest.fixture(autouse=True)
def end_of_a_hang():
    """Say where all threads are, and end, rather than wait for ever."""
    faulthandler.dump_traceback_later(300, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


@pytest.mark.parametrize("name", interrupts.CASES)
def test_an_interrupt_anywhere_does_no_harm(name):
    draw = random.Random(name)
    n_done = interrupts.interrupt(
        name, lambda n: draw.sample(range(1, n + 1), min(n, _N_POSITIONS))
    )
    assert n_done > 0.25 * _N_POSITIONS  # others came where one waited the first time
