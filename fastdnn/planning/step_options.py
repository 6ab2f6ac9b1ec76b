"""What a step does besides: which kernels and stages that takes, and room in memory."""

from typing import NamedTuple

import numpy as np

from fastdnn.engine.step_options import (
    COMPLETING,
    LIMITING,
    STEPPING,
    complete,
    finish,
    sum_up,
)
from fastdnn.network.parameters import Parameters
from fastdnn.planning.layout import Workspace, aligned_zeros


class StepOptions(NamedTuple):
    """What a step does besides; as it is made, nothing.

    Attributes
    ----------
    l1 : float
        Strength of the L1 penalty.
    clip_value, clip_norm : float or None
        Largest magnitude of a number of the gradient, and its largest Euclidean norm. The
        gradient is that of the loss with its penalties; values are clipped first.
    max_norm : float or None
        Largest Euclidean norm of the weights into a unit, after each step.
    ema_decay : float or None
        What a step leaves of the moving average of the parameters.
    """

    l1: float = 0.0
    clip_value: float | None = None
    clip_norm: float | None = None
    max_norm: float | None = None
    ema_decay: float | None = None

    @property
    def needs_one_theta(self) -> bool:
        """Whether workers cannot have copies of theta: blocks change after they were sent."""
        return self.max_norm is not None


def lay_out_step_options(
    table: np.ndarray,
    workspace: Workspace,
    parameters: Parameters,
    options: StepOptions,
    n_rows: int,
) -> np.ndarray:
    """Write what a step does besides into the record, and find its kernels and memory.

    Returns numbers for the columns of so many blocks and operations, for `Memory.columns`.
    """
    dtype = parameters.theta.dtype
    table["l1"] = options.l1
    table["clip_value"] = np.inf if options.clip_value is None else options.clip_value
    table["clip_norm"] = options.clip_norm or 0.0
    table["max_norm"] = options.max_norm or 0.0
    table["average_rate"] = 0.0 if options.ema_decay is None else 1.0 - options.ema_decay
    clips = options.clip_value is not None or options.clip_norm is not None
    completes = clips or options.l1 != 0.0
    if completes:
        table["complete"] = complete.address(dtype)
    if completes or options.max_norm is not None or options.ema_decay is not None:
        table["finish"] = finish.address(dtype)
    if options.clip_norm is not None or options.l1 != 0.0:
        table["sum_up"] = sum_up.address(dtype)
    table["first_stage"] = STEPPING if options.clip_norm is None else COMPLETING
    table["last_stage"] = STEPPING if options.max_norm is None else LIMITING
    if options.clip_norm is not None:
        table["completed_start"] = workspace.take(parameters.theta.size)
    if options.max_norm is None:
        return np.zeros(0)
    widest = max(parameters.layer_sizes[1:])
    return aligned_zeros(n_rows * widest, np.dtype(np.float64))
