"""Moves a worker that shares a processor with another one of its team, on Linux.

How they come to share one: ``scripts/docs/engine/teams.md``. A thread that has been moved
stays where it is.

The place of a worker is a piece of the team's vector of counters: its processor, counted
from 1, the last run in which it was moved, whether it has to stay, and two sets of
processors of 1024 bits.
"""

import sys

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types

from fastdnn.compiler.jit import JIT_ENABLED, emitted, kernel
from fastdnn.machine.views import array_struct

_N_WORDS = 16
_PROCESSOR, _MOVED_IN, _STAYS, _ALLOWED, _FREE = 0, 1, 2, 8, 8 + _N_WORDS
#: Numbers of a place: whole cache lines.
PLACE_SIZE = _FREE + _N_WORDS

_HAS_AFFINITY = sys.platform == "linux"
_INT = ir.IntType(32)


def _call(builder, name, arguments):  # needs jit
    function_type = ir.FunctionType(_INT, [argument.type for argument in arguments])
    function = cgutils.get_or_insert_function(builder.module, function_type, name)
    return builder.call(function, arguments)


def _current_processor(typingctx):  # needs jit
    def codegen(context, builder, signature, args):
        if not _HAS_AFFINITY:
            return ir.IntType(64)(-1)
        return builder.sext(_call(builder, "sched_getcpu", []), ir.IntType(64))

    return types.int64(), codegen


def _affinity_call(name):  # needs jit
    """Define a system call on this thread's set of processors; it returns 0 if it worked."""

    def definition(typingctx, array, position):
        def codegen(context, builder, signature, args):
            if not _HAS_AFFINITY:
                return ir.IntType(64)(-1)
            data = array_struct(context, builder, signature.args[0], args[0]).data
            words = builder.gep(data, [args[1]])
            arguments = [_INT(0), ir.IntType(64)(8 * _N_WORDS), words]
            return builder.sext(_call(builder, name, arguments), ir.IntType(64))

        return types.int64(array, types.intp), codegen

    return definition


if JIT_ENABLED:  # needs jit
    #: Number of the processor that this thread runs on, or -1 where that is not known.
    current_processor = emitted(_current_processor)
    get_affinity = emitted(_affinity_call("sched_getaffinity"))
    set_affinity = emitted(_affinity_call("sched_setaffinity"))
else:  # teams of one have nobody to share with
    current_processor = get_affinity = set_affinity = None


def let_stay(team: np.ndarray, place: int) -> None:
    """Let the worker of a place never be moved."""
    team[place + _STAYS] = 1


@kernel
def note_processor(team, place):
    """Write down where a worker runs."""
    team[place + _PROCESSOR] = current_processor() + 1


@kernel
def move_apart(team, places, worker, n_workers, run):  # needs jit
    """Move this worker to a processor where no other one of its team was seen last.

    Only if it shares its own with a worker before it (two that give way to each other would
    meet again), there is such a processor, and it has not been moved in this run: where
    there are fewer processors than workers, it would never end.
    """
    place = places + worker * PLACE_SIZE
    mine = team[place + _PROCESSOR]
    n_before = 0
    for other in range(worker):
        n_before += team[places + other * PLACE_SIZE + _PROCESSOR] == mine
    if mine <= 0 or n_before == 0 or team[place + _MOVED_IN] == run or team[place + _STAYS]:
        return
    team[place + _MOVED_IN] = run
    if get_affinity(team, place + _ALLOWED) < 0:
        return  # more processors than the set has bits
    for i in range(_N_WORDS):
        team[place + _FREE + i] = team[place + _ALLOWED + i]
    for other in range(n_workers):
        seen = team[places + other * PLACE_SIZE + _PROCESSOR] - 1
        if 0 <= seen < 64 * _N_WORDS:
            team[place + _FREE + seen // 64] &= ~(np.int64(1) << (seen % 64))
    n_free = 0
    for i in range(_N_WORDS):
        n_free += team[place + _FREE + i] != 0
    if n_free > 0 and set_affinity(team, place + _FREE) == 0:
        set_affinity(team, place + _ALLOWED)
        note_processor(team, place)
