"""The estimators of scikit-learn: what a user gives and gets.

`classifier` and `regressor` have the two public classes: what they take, and what their
targets are to the engine. `class_predictions` is what a fitted classifier says, `accuracy`
its score. `base` is what both share: from what a user gives to a fit, and what shows it.
`validation` and `labels` check samples and targets, `validation_sets` those to validate on,
which `scorers` score; `recorded` are the attributes that show the history; `interchange`
brings a network to scikit-learn and back. Parameters are declared in
`fastdnn/models/declarations.py`.

Called by nobody below: the top of the house.
"""
