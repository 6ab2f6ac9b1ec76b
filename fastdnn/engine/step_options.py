"""What a step may do besides: L1, clipping, limits of norms, averages; compiled where used.

Two kernels, which the engine finds by their addresses in the record. `complete` makes the
whole gradient of a block before the optimiser steps by it; `finish` does what comes after the
step, while the block is in cache. Which stages they run in: `fastdnn.engine.blocks`.
"""

import math

import numpy as np
from numba.core import types

from fastdnn.compiler.addressed import Addressed, Form, vector_of
from fastdnn.compiler.jit import kernel, loop_kernel
from fastdnn.engine.memory import (
    BLOCK_FIRST,
    BLOCK_GRADIENT_SQUARES,
    BLOCK_OPERATION,
    BLOCK_ROWS,
    BLOCK_SIZE,
    BLOCK_SIZES,
    BLOCK_SQUARES,
    BLOCK_START,
    block_table,
    partial_sums,
    weights_of,
    work_vector,
    worker_parameters,
)
from fastdnn.engine.record import record_at
from fastdnn.machine.arithmetic import multiply_add
from fastdnn.machine.vectors import copy
from fastdnn.machine.views import vector, vector_at
from fastdnn.products.sums import sum_of_sizes, sum_of_squares, sum_of_squares_in_double

#: Stages of phase 2, each of all blocks: gradients are completed, blocks stepped, columns of
#: layers measured, and scaled. Most fits have only the second.
COMPLETING, STEPPING, MEASURING, LIMITING = range(4)
#: No stage: sum up what the loss of the first batch needs.
SUMMING = -1

# PyTorch adds it to the norm that it divides by.
_ADDED_TO_NORM = 1e-6


@kernel
def completed_gradient(s, real, task):
    """View the gradient of one block where it waits for the norm of all of them."""
    block = block_table(s)[task]
    start = s.completed_start + block[BLOCK_START]
    return work_vector(s, real, start, block[BLOCK_SIZE])


@kernel
def _factor_of_norm(s):
    """Return what the completed gradient is multiplied by, so that its norm is not above."""
    squares = 0.0
    for task in range(s.n_blocks + 1):
        squares += partial_sums(s)[task, BLOCK_GRADIENT_SQUARES]
    factor = s.clip_norm / (math.sqrt(squares) + _ADDED_TO_NORM)
    return 1.0 if factor > 1.0 else factor  # NaN stays NaN


# -- before the step ----------------------------------------------------------------------


@loop_kernel
def _complete(w, first, rest, scale, decay, lasso, limit):
    """Write the gradient of all that the loss has of a block, clipped, in `first`."""
    zero, has_rest = w.dtype.type(0), rest.size > 0
    for i in range(first.size):
        g = first[i] + rest[i] if has_rest else first[i]
        g = multiply_add(g, scale, w[i] * decay)
        g += lasso if w[i] > zero else (-lasso if w[i] < zero else zero)
        g = limit if g > limit else g  # NaN stays NaN
        first[i] = -limit if g < -limit else g


def complete_gradient(record, real, task, worker, first, rest, scale):
    """Write the complete gradient of one block into `first`, from both parts of it.

    `scale` is the factor of both; the penalties and the largest magnitude are the record's.
    For a norm, the gradient is kept where `completed_gradient` finds it.
    """
    s, as_real = record_at(record), type(real)
    block = block_table(s)[task]
    w = vector(worker_parameters(s, real, worker), block[BLOCK_START], block[BLOCK_SIZE])
    decay = lasso = 0.0
    if task < s.n_blocks:  # no penalty of biases
        decay, lasso = scale * s.alpha, scale * s.l1
    limit = as_real(s.clip_value)
    _complete(w, first, rest, as_real(scale), as_real(decay), as_real(lasso), limit)
    if s.clip_norm > 0.0:
        copy(first, completed_gradient(s, real, task))
        partial_sums(s)[task, BLOCK_GRADIENT_SQUARES] = sum_of_squares_in_double(first)


# -- after the step -----------------------------------------------------------------------


@kernel
def _columns(s, row):
    """View a number for each column: of a block its squares; of an operation its factor.

    The rows of blocks come first, then those of operations.
    """
    width = s.columns_size // (s.n_blocks + s.n_operations)
    return vector_at(np.float64(0), s.columns, row * width, width)


@loop_kernel
def _sum_column_squares(W, first, last, out):
    for j in range(W.shape[1]):
        out[j] = 0.0
    for i in range(first, last):
        for j in range(W.shape[1]):
            w = np.float64(W[i, j])
            out[j] = multiply_add(w, w, out[j])


@loop_kernel
def _scale_columns(W, first, last, factors):
    for i in range(first, last):
        for j in range(W.shape[1]):
            W[i, j] *= W.dtype.type(factors[j])


@kernel
def _measure_columns(s, task, n_units):
    """Find by what a share of a layer's columns is to be scaled: each block takes one."""
    blocks = block_table(s)
    operation, share, n_shares = blocks[task, BLOCK_OPERATION], 0, 0
    for other in range(s.n_blocks):
        if blocks[other, BLOCK_OPERATION] == operation:
            share += other < task
            n_shares += 1
    first, last = share * n_units // n_shares, (share + 1) * n_units // n_shares
    factors = _columns(s, s.n_blocks + operation)
    for j in range(first, last):
        factors[j] = 0.0
    for other in range(s.n_blocks):
        if blocks[other, BLOCK_OPERATION] == operation:
            squares = _columns(s, other)
            for j in range(first, last):
                factors[j] += squares[j]
    for j in range(first, last):
        norm = math.sqrt(factors[j])
        factors[j] = s.max_norm / norm if norm > s.max_norm else 1.0


@loop_kernel
def _move_average(average, w, rate):
    for i in range(w.size):
        average[i] = multiply_add(rate, w[i] - average[i], average[i])


@kernel
def finish_step(record, real, task, worker, stage):
    """Do what follows the step of one block, or its part of a later stage."""
    s = record_at(record)
    block, partial = block_table(s)[task], partial_sums(s)
    start, size, is_tail = block[BLOCK_START], block[BLOCK_SIZE], task == s.n_blocks
    w = vector(worker_parameters(s, real, worker), start, size)
    if s.max_norm > 0.0 and stage != SUMMING and not is_tail:
        operation, first = block[BLOCK_OPERATION], block[BLOCK_FIRST]
        W, last = weights_of(s, real, operation, worker), first + block[BLOCK_ROWS]
        if stage == STEPPING:
            _sum_column_squares(W, first, last, _columns(s, task))
        elif stage == MEASURING:
            _measure_columns(s, task, W.shape[1])
        else:
            _scale_columns(W, first, last, _columns(s, s.n_blocks + operation))
    if stage != SUMMING and stage != s.last_stage:
        return
    if not is_tail:
        if s.alpha != 0.0:
            partial[task, BLOCK_SQUARES] = sum_of_squares(w)
        if s.l1 != 0.0:
            partial[task, BLOCK_SIZES] = sum_of_sizes(w)
    if s.average_size > 0 and stage != SUMMING:
        average = vector(vector_at(real, s.average, 0, s.average_size), start, size)
        _move_average(average, w, type(real)(s.average_rate))


def _sum_up(record, real, stage):
    """Return what all blocks together come to.

    After gradients were completed it is the factor that limits their norm. Otherwise it is
    the sum of the magnitudes of all weights, which blocks have noted when they were stepped,
    or are measured now, before the first step.
    """
    s = record_at(record)
    if stage == COMPLETING:
        return _factor_of_norm(s)
    total = 0.0
    for task in range(s.n_blocks):
        if stage == SUMMING:
            finish_step(record, real, task, 0, SUMMING)
        total += partial_sums(s)[task, BLOCK_SIZES]
    return total


#: ``(record, real, task, worker, first, rest, scale)``, see `complete_gradient`.
COMPLETE = Form(
    "what completes a gradient",
    lambda real: (
        *(types.int64, real, types.int64, types.int64),
        *(vector_of(real), vector_of(real), types.float64),
    ),
)
#: ``(record, real, task, worker, stage)``, see `finish_step`.
FINISH = Form(
    "what follows a step",
    lambda real: (types.int64, real, types.int64, types.int64, types.int64),
)
#: ``(record, real, stage)``, see `_sum_up`.
SUM_UP = Form(
    "what blocks come to",
    lambda real: (types.int64, real, types.int64),
    types.float64,
)
complete = Addressed(COMPLETE, complete_gradient, "step_options.complete")
finish = Addressed(FINISH, finish_step, "step_options.finish")
sum_up = Addressed(SUM_UP, _sum_up, "step_options.sum_up")
