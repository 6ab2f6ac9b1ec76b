"""What a fitted model holds: changed as a whole, and checked before each use.

`hyperparameters` says which values parameters may have; `transaction` lets a fit change an
estimator as a whole or not at all; `consistency` compares all that it holds with the network.

Called by `storage` and the estimators.
"""
