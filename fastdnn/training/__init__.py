"""One fit: epochs, stopping rules, schedules, the order of rows, what is recorded.

`loop` is stochastic training, `lbfgs` the other; both run `epochs` of the engine, and
`long_batches` those that an interrupt must not wait for. `history` is what is recorded,
`order` and `random` how rows are shuffled, `scores` what early stopping asks. `divergence`
finds what is not finite and names the likely cause; `scales` says which fits need float64.

Called by the estimators and the textbook class.
"""
