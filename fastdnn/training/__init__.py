"""One fit: epochs, stopping rules, schedules, the order of rows, what is recorded.

`fit` has one, from an `objective` and `options`, which are the hyperparameters, to the next
`state`: what training carries from one call to the next. `stochastic` is the loop of one
solver, `lbfgs` the other. Of the loop `stopping` says when it ends, `schedules` how the
learning rate changes and `step_sizes` what it is, `averages` which mean of the parameters is
kept, `order` and `random_states` how rows are shuffled. `validation` evaluates the network on
rows that are `held_out`, by `scores` and the `validation_loss`; `recording` puts that into
the `history`, in `curves`, `checkpoints` says when it is written down, `watching` who is told
of each epoch. `epochs` runs the engine, `long_batches` those that an interrupt must not wait
for. `divergence` finds what is not finite, `likely_causes` says what may have made it so,
`notices` are the warnings at the end, `precision` says which fits need float64.

A `stream` is what users give instead of samples in memory: `blockwise` runs epochs over its
blocks, in a `block_order`, which a `block_reader` fills meanwhile.

To add a schedule: a row of the table in `schedules`. Called by the estimators and, for
epochs, by the textbook class.
"""

from fastdnn.data.file_rows import StreamError
from fastdnn.training.stream import Stream

__all__ = ["Stream", "StreamError"]
