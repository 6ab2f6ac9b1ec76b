"""Atomic counters on which the workers of a team meet and share out tasks.

A team is an int64 vector. Each counter has a cache line of its own. Every worker has a queue
of tasks and takes from those of the others when its own is empty. Why so:
``scripts/docs/engine/teams.md``.
"""

import sys

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types

from fastdnn.compiler.jit import JIT_ENABLED, emitted, kernel
from fastdnn.engine.placement import PLACE_SIZE, let_stay, move_apart, note_processor
from fastdnn.machine.views import array_struct

# Positions in the team vector, a cache line of 8 numbers each.
(
    ARRIVED, GENERATION, FAILED, RUNS, CLOSED, LONG_WAITS, STOP, LEAVING, ATTENDED, QUEUES,
) = range(0, 80, 8)  # fmt: skip
_NEXT_QUEUE = 8

# What a meeting tells its workers: that one of them failed, to go on, or to end the run.
BROKEN, GO_ON, LEAVE = range(3)

# A spin takes 10 to 50 nanoseconds, yielding a few hundred.
_SPINS_BEFORE_YIELD = 1000
_YIELDS_OF_LONG_WAIT = 1500
_SPINS_BETWEEN_RUNS, _YIELDS_BETWEEN_RUNS = 5_000, 3_000
# After some 10 milliseconds worker 0 looks whether all have begun, and sleeps if they have
# not: so many times, which takes about a second however busy the processors are.
_SPINS_BEFORE_SLEEP, _MICROSECONDS_OF_SLEEP, _SLEEPS_UNTIL_MISSED = 20_000, 5000, 200
# Taken from the number of those who attend when they are not waited for any longer.
_GIVEN_UP = 2**40


def _counter_address(context, builder, signature, args):  # needs jit
    array = array_struct(context, builder, signature.args[0], args[0])
    return builder.gep(array.data, [args[1]])


def _fetch_add(typingctx, array, position, amount):  # needs jit
    def codegen(context, builder, signature, args):
        address = _counter_address(context, builder, signature, args)
        return builder.atomic_rmw("add", address, args[2], "seq_cst")

    return types.int64(array, types.intp, types.int64), codegen


def _load(typingctx, array, position):  # needs jit
    def codegen(context, builder, signature, args):
        address = _counter_address(context, builder, signature, args)
        return builder.load_atomic(address, "seq_cst", 8)

    return types.int64(array, types.intp), codegen


def _store(typingctx, array, position, value):  # needs jit
    def codegen(context, builder, signature, args):
        address = _counter_address(context, builder, signature, args)
        builder.store_atomic(args[2], address, "seq_cst", 8)
        return context.get_dummy_value()

    return types.void(array, types.intp, types.int64), codegen


def _yield_processor(typingctx):  # needs jit
    def codegen(context, builder, signature, args):
        name = "SwitchToThread" if sys.platform == "win32" else "sched_yield"
        function_type = ir.FunctionType(ir.IntType(32), [])
        function = cgutils.get_or_insert_function(builder.module, function_type, name)
        builder.call(function, [])
        return context.get_dummy_value()

    return types.void(), codegen


def _sleep(typingctx):  # needs jit
    def codegen(context, builder, signature, args):
        integer = ir.IntType(32)
        if sys.platform == "win32":
            name, result, time = "Sleep", ir.VoidType(), _MICROSECONDS_OF_SLEEP // 1000
        else:
            name, result, time = "usleep", integer, _MICROSECONDS_OF_SLEEP
        function_type = ir.FunctionType(result, [integer])
        function = cgutils.get_or_insert_function(builder.module, function_type, name)
        builder.call(function, [integer(time)])
        return context.get_dummy_value()

    return types.void(), codegen


def _pause(typingctx):  # needs jit
    def codegen(context, builder, signature, args):
        # Leaves the execution units of a core with two threads to the other one.
        triple = context.codegen().magic_tuple()[0]
        if triple.startswith(("x86_64", "i686")):
            function_type = ir.FunctionType(ir.VoidType(), [])
            name = "llvm.x86.sse2.pause"
            builder.call(
                cgutils.get_or_insert_function(builder.module, function_type, name), []
            )
        return context.get_dummy_value()

    return types.void(), codegen


if JIT_ENABLED:  # needs jit
    fetch_add = emitted(_fetch_add)
    load = emitted(_load)
    store = emitted(_store)
    yield_processor = emitted(_yield_processor)
    sleep = emitted(_sleep)
    pause = emitted(_pause)
else:  # plain Python runs in teams of one, which never wait

    def fetch_add(array, position, amount):
        """Add to a counter and return what it was."""
        array[position] += amount
        return array[position] - amount

    def load(array, position):
        """Return a counter."""
        return array[position]

    def store(array, position, value):
        """Set a counter."""
        array[position] = value

    def pause():
        """Wait a moment."""

    def yield_processor():
        """Let another thread run."""

    def sleep():
        """Sleep for some milliseconds."""


def team_size(n_workers: int) -> int:
    """Return how many numbers a team is: counters, its workers' queues and their places."""
    return QUEUES + n_workers * (_NEXT_QUEUE + PLACE_SIZE)


def let_workers_stay(team: np.ndarray, n_workers: int) -> None:
    """Let no worker of a team be moved to another processor."""
    for worker in range(n_workers):
        let_stay(team, QUEUES + n_workers * _NEXT_QUEUE + worker * PLACE_SIZE)


@kernel
def _give_up(team, n_workers):
    """Let nobody join the first run any more, unless all have; return whether some have not.

    Those who come later see it, so that no meeting of that run ever takes place.
    """
    if fetch_add(team, ATTENDED, -_GIVEN_UP) < n_workers - 1:
        store(team, FAILED, 1)
        return True
    fetch_add(team, ATTENDED, _GIVEN_UP)
    return False


@kernel
def meet(team, worker, n_workers):
    """Wait for all workers of the team; then all queues start anew.

    A worker that is kept waiting makes sure that it does not share a processor with another.
    Counts the waits of about a millisecond or more, as long as another program keeps a
    processor. At the first meeting of the first run, worker 0 waits about a second for those
    who have not begun, whose threads may have died; then it gives up, see `is_given_up`.

    Returns `BROKEN` when a worker failed, or to begin, and `LEAVE` or `GO_ON` to all others
    alike: by whether the team was told to stop when the last of them arrived.
    """
    if n_workers == 1:
        team[QUEUES] = 0
        return LEAVE if load(team, STOP) != 0 else GO_ON
    places = QUEUES + n_workers * _NEXT_QUEUE
    note_processor(team, places + worker * PLACE_SIZE)
    generation = load(team, GENERATION)
    if fetch_add(team, ARRIVED, 1) == n_workers - 1:
        store(team, ARRIVED, 0)
        for worker in range(n_workers):
            store(team, QUEUES + worker * _NEXT_QUEUE, 0)
        is_leaving = load(team, STOP) != 0
        store(team, LEAVING, np.int64(is_leaving))
        fetch_add(team, GENERATION, 1)
        return LEAVE if is_leaving else GO_ON
    spins, sleeps = 0, 0
    while load(team, GENERATION) == generation:
        pause()
        spins += 1
        if spins > _SPINS_BEFORE_YIELD:
            if spins == _SPINS_BEFORE_YIELD + 1:
                move_apart(team, places, worker, n_workers, load(team, RUNS))
            if spins == _SPINS_BEFORE_YIELD + _YIELDS_OF_LONG_WAIT:
                fetch_add(team, LONG_WAITS, 1)
            if load(team, FAILED) != 0:
                return BROKEN
            if worker == 0 and spins > _SPINS_BEFORE_SLEEP:
                if load(team, ATTENDED) < n_workers - 1:
                    if sleeps == _SLEEPS_UNTIL_MISSED and _give_up(team, n_workers):
                        return BROKEN
                    sleeps += 1
                    sleep()
            yield_processor()
    return LEAVE if load(team, LEAVING) != 0 else GO_ON


def is_given_up(team: np.ndarray) -> bool:
    """Whether some worker never began, so that the first run had no meeting.

    Then nothing has changed but what a run makes anew, and once all have left it, `reset`
    lets it be done alone.
    """
    return bool(team[ATTENDED] < 0)


def reset(team: np.ndarray) -> None:
    """Let worker 0 begin a run that it had given up, alone: its queue starts anew."""
    team[QUEUES] = 0


@kernel
def announce_run(team):
    """Let the workers that wait in `join_run` begin."""
    fetch_add(team, RUNS, 1)


@kernel
def join_run(team, n_joined):
    """Wait a little for a run beyond those that this worker has joined.

    Returns False when none has begun for about a millisecond, or when none will, be it that
    worker 0 has given up to wait for this one.
    """
    spins = 0
    while load(team, RUNS) == n_joined:
        pause()
        spins += 1
        if spins > _SPINS_BETWEEN_RUNS:
            if spins > _SPINS_BETWEEN_RUNS + _YIELDS_BETWEEN_RUNS:
                return False
            yield_processor()
        if load(team, CLOSED) != 0 or load(team, FAILED) != 0:
            return False
    # Once for every worker: then it has joined a run.
    return n_joined > 0 or fetch_add(team, ATTENDED, 1) >= 0


@kernel
def next_task(team, worker, n_workers, n_tasks):
    """Return the position of a task that no other worker has taken, or `n_tasks` for none.

    Worker k's own tasks are k, k + n_workers, k + 2 n_workers...
    """
    owner = worker
    for _ in range(n_workers):
        queue = QUEUES + owner * _NEXT_QUEUE
        if load(team, queue) * n_workers + owner < n_tasks:
            task = fetch_add(team, queue, 1) * n_workers + owner
            if task < n_tasks:
                return task
        owner += 1
        if owner == n_workers:
            owner = 0
    return n_tasks
