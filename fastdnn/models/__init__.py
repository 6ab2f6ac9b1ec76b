"""What a fitted model holds: changed as a whole, and checked before each use.

`declarations` declares what the estimators can be told, and `hyperparameters` whom they tell;
`valid_values` looks whether they were told what can be, `valid_combinations` whether that fits
together. `parameter_types` are the types that signatures have, and `decorators` keep those of
methods. `transaction` lets a fit change an estimator as a whole or not at all; `consistency`
compares all that it holds with the network, `optimizer_states` what a user gives it.
`documentation` links to the page of a class.

Called by `storage` and the estimators.
"""
