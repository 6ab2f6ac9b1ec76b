"""How the workers of a team tell each other gradients and new weights, in small networks.

Nobody reads what another worker will go on to write: each has copies of theta and of the
optimiser's state, and what another one needs is put into a mailbox, whose lines the reader
writes to before it reads them. Why so: ``scripts/docs/engine/teams.md``.
"""

from fastdnn.compiler.jit import kernel
from fastdnn.engine.memory import (
    BLOCK_SIZE,
    BLOCK_SLOT,
    BLOCK_START,
    BLOCK_STEPPER,
    SHARD_MAKER,
    block_table,
    optimizer_state,
    partial_sums,
    shard_gradient,
    work_vector,
    worker_parameters,
)
from fastdnn.machine.cache_lines import LINE_BYTES, copy_lines
from fastdnn.machine.processor import itemsize_of
from fastdnn.machine.vectors import copy
from fastdnn.machine.views import address, vector


@kernel
def _per_line(real):  # needs jit
    """Return how many elements a line of a mailbox carries."""
    return LINE_BYTES // itemsize_of(real) - 1


@kernel
def put(real, values, lines):  # needs jit
    """Write `values` into the lines of a mailbox."""
    per_line = _per_line(real)
    n_whole = (values.size - 1) // per_line
    # Whole vectors: each with the first element of the next line, which nobody reads.
    copy_lines(real, address(values, 0), per_line, address(lines, 0), per_line + 1, n_whole)
    done, start = n_whole * per_line, n_whole * (per_line + 1)
    for j in range(values.size - done):
        lines[start + j] = values[done + j]


@kernel
def take(real, lines, out):  # needs jit
    """Read what `put` has written, and make the lines the reader's own before."""
    per_line = _per_line(real)
    n_whole = (out.size - 1) // per_line
    for i in range(n_whole + 1):
        lines[i * (per_line + 1) + per_line] = 0
    # Whole vectors: the element to spare is overwritten by the first one of the next line.
    copy_lines(real, address(lines, 0), per_line + 1, address(out, 0), per_line, n_whole)
    done, start = n_whole * per_line, n_whole * (per_line + 1)
    for j in range(out.size - done):
        out[done + j] = lines[start + j]


@kernel
def _slot(s, real, mailboxes, number, task):  # needs jit
    """View the lines of one block in a mailbox of those that start at `mailboxes`."""
    block, per_line = block_table(s)[task], _per_line(real)
    n_lines = (block[BLOCK_SIZE] + per_line - 1) // per_line
    start = mailboxes + number * s.mail_size + block[BLOCK_SLOT]
    return work_vector(s, real, start, n_lines * (per_line + 1))


@kernel
def has_mailboxes(s):
    """Whether the workers of this run have copies of theta."""
    return s.mail_size > 0 and s.n_workers > 1


@kernel
def _home(s, task):  # needs jit
    """Return the worker in whose queue a block is, see `fastdnn.engine.barrier`."""
    return task % s.n_workers


@kernel
def state_of_block(s, real, task):
    """View the optimiser's state where that of one block is up to date."""
    return optimizer_state(s, real, _home(s, task) if has_mailboxes(s) else 0)


@kernel
def send_gradient(s, real, shard, worker):  # needs jit
    """Send the gradient that `worker` has made of a shard to those who step its blocks."""
    for task in range(s.n_blocks + 1):
        if _home(s, task) != worker:
            block = block_table(s)[task]
            values = shard_gradient(s, real, shard, block[BLOCK_START], block[BLOCK_SIZE])
            put(real, values, _slot(s, real, s.gradient_mail_start, shard, task))
    partial_sums(s)[shard, SHARD_MAKER] = worker


@kernel
def is_sent(s, shard, task):
    """Whether a shard's gradient of one block was sent; otherwise it is where it was made."""
    return has_mailboxes(s) and _home(s, task) != int(partial_sums(s)[shard, SHARD_MAKER])


@kernel
def take_gradient(s, real, shard, task, out):  # needs jit
    """Write a shard's gradient of one block, which was sent, into `out`."""
    take(real, _slot(s, real, s.gradient_mail_start, shard, task), out)


@kernel
def send_weights(s, real, task, worker):  # needs jit
    """Send the block that `worker` has stepped to all others."""
    block = block_table(s)[task]
    theta = worker_parameters(s, real, worker)
    values = vector(theta, block[BLOCK_START], block[BLOCK_SIZE])
    for other in range(s.n_workers):
        if other != worker:
            put(real, values, _slot(s, real, s.weight_mail_start, other, task))
    partial_sums(s)[task, BLOCK_STEPPER] = worker


@kernel
def take_weights(s, real, worker):  # needs jit
    """Bring a worker's copy of theta up to date with what the others have stepped."""
    theta = worker_parameters(s, real, worker)
    for task in range(s.n_blocks + 1):
        if partial_sums(s)[task, BLOCK_STEPPER] != worker:
            block = block_table(s)[task]
            out = vector(theta, block[BLOCK_START], block[BLOCK_SIZE])
            take(real, _slot(s, real, s.weight_mail_start, worker, task), out)


@kernel
def _copy_state(s, real, worker, source, out):  # needs jit
    """Copy the state of a worker's own blocks from the copy of one worker to another's."""
    source, out = optimizer_state(s, real, source), optimizer_state(s, real, out)
    for slot in range(0, s.state_size, s.theta_size):
        for task in range(worker, s.n_blocks + 1, s.n_workers):
            block = block_table(s)[task]
            start, size = slot + block[BLOCK_START], block[BLOCK_SIZE]
            copy(vector(source, start, size), vector(out, start, size))


@kernel
def begin_exchange(s, real, worker):  # needs jit
    """Begin a run: give a worker its copies."""
    if worker > 0:
        copy(worker_parameters(s, real, 0), worker_parameters(s, real, worker))
        _copy_state(s, real, worker, 0, worker)


@kernel
def end_exchange(s, real, worker):  # needs jit
    """End a run that took a step: bring the network's theta and state up to date.

    A meeting follows.
    """
    if worker > 0:
        _copy_state(s, real, worker, worker, 0)
    else:
        take_weights(s, real, worker)
