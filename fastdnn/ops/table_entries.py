"""The first layer on a table whose columns stand for many inputs, which are never written.

A column of numbers stands for a clipped copy, for whether it is missing, and for a staircase:
the components of its piecewise-linear encoding, 1 ... 1, f, 0 ... 0. A category stands for one
input a level. So of all inputs that an *entry* stands for, the weights of one or two are
read: with the sums Q of the weights W of a staircase up to each of its stairs,

    1 W_0 + ... + 1 W_(k - 1) + f W_k = (1 - f) Q_(k - 1) + f Q_k,

and all other weights are their own sums. The gradient goes the same way back: what Q's rows
take is added up from the last stair to the first. Which inputs an entry stands for is in a
table; its columns are named below.

What a row has of an entry are so one or two *terms*: a row of Q and what it counts. They are
collected first, those of a row for the forward pass, those of an input for the gradient, since
four rows of a matrix are added up in about the time of one.
"""

import numpy as np

from fastdnn.compiler.jit import kernel, loop_kernel
from fastdnn.machine.arithmetic import multiply_add
from fastdnn.machine.vectors import add, add_multiple, clear, copy, write_sum
from fastdnn.machine.views import vector
from fastdnn.ops.draws import bits, keys_of, keys_of_row
from fastdnn.ops.dropout import factor_of, limit_of

#: Kinds of entries: a number as it is; clipped smoothly; 1 where it is missing; a staircase;
#: a level of a category.
PLAIN, CLIPPED, MISSING, STAIRS, LEVEL = range(5)
#: Columns of the table of entries: the column of the compact table that it is made from, its
#: kind, the inputs that it stands for, and where a staircase's edges begin.
COLUMN, KIND, START, SIZE, FIRST_EDGE = range(5)
N_COLUMNS = 5
#: Numbers to remember of each entry of a row: its input, and what the sums up to the one
#: before and up to itself count.
PER_ENTRY = 3

#: Beyond so many units a clipped number counts for less and less; none counts for more.
CLIP = 3.0


@kernel
def _stair(x, edges):
    """Return the bin that a number is in, the first or the last one if it is in none."""
    low, high = 0, edges.size - 1
    while high - low > 1:
        middle = (low + high) // 2
        if edges[middle] <= x:
            low = middle
        else:
            high = middle
    return low


@kernel
def _read_entry(x, entry, edges):
    """Return the input of an entry, and what the sums before and up to it count."""
    kind, start, size = entry[KIND], entry[START], entry[SIZE]
    zero, one = type(x)(0), type(x)(1)
    if kind == LEVEL:
        # Whatever is no level is the last one: no memory but its own is read.
        k = np.int64(size - 1)
        if x >= zero and x < type(x)(size):
            k = np.int64(x)
        return start + k, zero, one
    if kind == MISSING:
        return start, zero, one if np.isnan(x) else zero
    if np.isnan(x):
        x = zero
    if kind == PLAIN:
        return start, zero, x
    if kind == CLIPPED:
        u = x / type(x)(CLIP)
        return start, zero, x / np.sqrt(one + u * u)
    own = vector(edges, entry[FIRST_EDGE], size + 1)
    k = _stair(x, own)
    share = min(max((x - own[k]) / (own[k + 1] - own[k]), zero), one)
    return start + k, one - share if k > 0 else zero, share


@kernel
def read_entries(X, entries, edges, draw, rate, out):
    """Write what the rows of a compact table stand for into `out`.

    Levels are left out at random as units are by `fastdnn.ops.dropout`: then it is not known
    which one it is. Numbers are not: they would be others.
    """
    n_entries = entries.shape[0]
    keys, limit = keys_of(draw), limit_of(rate)
    factor = X.dtype.type(factor_of(rate))
    for i in range(X.shape[0]):
        of_row = keys_of_row(keys, draw[3] + i)
        for e in range(n_entries):
            k, before, own = _read_entry(X[i, entries[e, COLUMN]], entries[e], edges)
            if rate > 0.0 and entries[e, KIND] == LEVEL:
                own = own * factor if bits(of_row, e) >= limit else X.dtype.type(0)
            out[i, PER_ENTRY * e] = k
            out[i, PER_ENTRY * e + 1] = before
            out[i, PER_ENTRY * e + 2] = own


@loop_kernel
def _add_four(a, A, b, B, c, C, d, D, out):
    for j in range(out.size):
        total = multiply_add(b, B[j], multiply_add(a, A[j], out[j]))
        out[j] = multiply_add(d, D[j], multiply_add(c, C[j], total))


@kernel
def _add_terms(terms, first, last, M, out):
    """Add the terms `first` to `last`, pairs of a row of `M` and what it counts, to `out`.

    As if one by one: how many there are at a time changes no bit.
    """
    n, t = out.size, first
    while t + 4 <= last:
        pairs = vector(terms, 2 * t, 8)
        _add_four(
            *(pairs[1], vector(M, np.int64(pairs[0]) * n, n)),
            *(pairs[3], vector(M, np.int64(pairs[2]) * n, n)),
            *(pairs[5], vector(M, np.int64(pairs[4]) * n, n)),
            *(pairs[7], vector(M, np.int64(pairs[6]) * n, n)),
            out,
        )
        t += 4
    while t < last:
        add_multiple(terms[2 * t + 1], vector(M, np.int64(terms[2 * t]) * n, n), out)
        t += 1


@kernel
def add_entries(memory, Q, b, Z, terms):
    """Write the biases and what each row's entries count into `Z`; `terms` is scratch."""
    n_units = Z.shape[1]
    for i in range(Z.shape[0]):
        n_terms = 0
        for e in range(memory.shape[1] // PER_ENTRY):
            k = memory[i, PER_ENTRY * e]
            before, own = memory[i, PER_ENTRY * e + 1], memory[i, PER_ENTRY * e + 2]
            if before != 0:
                terms[2 * n_terms], terms[2 * n_terms + 1] = k - 1, before
                n_terms += 1
            if own != 0:
                terms[2 * n_terms], terms[2 * n_terms + 1] = k, own
                n_terms += 1
        z = vector(Z, i * n_units, n_units)
        copy(b, z)
        _add_terms(terms, 0, n_terms, Q, z)


@kernel
def add_up_stairs(entries, W, first, stop, Q):
    """Write the sums of the weights of inputs `first` to `stop`: whole staircases."""
    n_units = W.shape[1]
    for e in range(entries.shape[0]):
        start, size = entries[e, START], entries[e, SIZE]
        for k in range(max(first, start), min(stop, start + size)):
            w, q = vector(W, k * n_units, n_units), vector(Q, k * n_units, n_units)
            if entries[e, KIND] == STAIRS and k > start:
                write_sum(w, vector(Q, (k - 1) * n_units, n_units), q)
            else:
                copy(w, q)


@kernel
def _sort_terms(memory, rows, of_entries, first, ends, terms):
    """Sort the terms of some rows by their inputs from `first` on, those of one by rows.

    Of each input, `ends` has where its terms end; those of the first begin at 0.
    """
    for k in range(ends.size):
        ends[k] = 0
    for is_to_write in range(2):
        for i in range(rows[0], rows[1]):
            for e in range(of_entries[0], of_entries[1]):
                entry = vector(memory, i * memory.shape[1] + PER_ENTRY * e, PER_ENTRY)
                k = np.int64(entry[0]) - first
                for t in range(2):
                    input = k - 1 + t
                    if entry[1 + t] != 0 and 0 <= input < ends.size:
                        if is_to_write:
                            place = 2 * np.int64(ends[input])
                            terms[place], terms[place + 1] = i, entry[1 + t]
                        ends[input] += 1
        if not is_to_write:  # from how many there are to where they begin
            total = np.int64(0)
            for k in range(ends.size):
                count = np.int64(ends[k])
                ends[k] = total
                total += count


@kernel
def gradient_of_entries(entries, memory, D, first, dW, scratch):
    """Write the gradient of the weights of some inputs from `first` on: whole staircases."""
    n_inputs, n_units = dW.shape
    stop = first + n_inputs
    clear(vector(dW, 0, dW.size))
    first_entry, last_entry = entries.shape[0], 0
    for e in range(entries.shape[0]):
        if entries[e, START] < stop and entries[e, START] + entries[e, SIZE] > first:
            first_entry, last_entry = min(first_entry, e), e + 1
    ends = vector(scratch, 0, n_inputs)
    terms = vector(scratch, n_inputs, scratch.size - n_inputs)
    n_together = terms.size // (4 * (last_entry - first_entry))
    for start in range(0, D.shape[0], n_together):
        rows = start, min(start + n_together, D.shape[0])
        _sort_terms(memory, rows, (first_entry, last_entry), first, ends, terms)
        begin = np.int64(0)
        for k in range(n_inputs):
            end = np.int64(ends[k])
            _add_terms(terms, begin, end, D, vector(dW, k * n_units, n_units))
            begin = end
    for e in range(first_entry, last_entry):
        if entries[e, KIND] == STAIRS:
            start = entries[e, START] - first
            for k in range(start + entries[e, SIZE] - 1, start, -1):
                last = vector(dW, k * n_units, n_units)
                add(last, vector(dW, (k - 1) * n_units, n_units))
