"""The mathematics, a table each: activations, losses, optimisers, and their functions.

A row of `activations`, `losses` or `optimizers` is a formula and its derivative. Formulas of
losses are in `class_losses` and `target_losses`, what they ask of targets in `targets`, their
numbers in `loss_parameters`, what their kernels share in `loss_rows`; outputs that mean
something together, with their losses, in `several_outputs`; formulas of optimisers in `steps`.
`own_functions` has activations and losses of users' own; `given_gradient` steps by a gradient
that was made elsewhere.

`normalization`, `dropout`, `noise` and `prelu` are `transforms` of rows, with what is learnt
besides weights and biases; `draws` are the random bits of steps. `elementary` has exp, log and
their kin with stated errors; `results` makes what predictions return; `table_entries` is a
first layer; `softmax_rows`, `sparse` and `shuffle` are loops.

Called by `engine`. A formula is added or changed here alone, with its row and its test.
"""
