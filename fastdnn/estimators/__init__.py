"""The estimators of scikit-learn: what a user gives and gets.

`classifier` and `regressor` have the two public classes and what they take. `class_targets` is
what a classifier's targets are to the engine, `class_predictions` what it says when it is
fitted, `accuracy` its score; `target_predictions` is all of that of a regressor. `base` is
what both share: from what a user gives to a fit, and what shows it; `ready` is what a fit was
given, checked, and `streamed` the same of a stream; `results` is what is computed of samples.
`members` are several networks of one estimator, and `member_results` what they say together;
`conformal` and `conformal_predictions` are intervals and sets of classes with a chosen
coverage. `hidden_layers` are those that parameters ask for. `validation` and `labels` check
samples and targets, `soft_targets` those that are probabilities; `class_weights` weigh
classes; `regression_losses` says what the regressor's are to the engine. `validation_sets`
checks samples to validate on, which `scorers` score; `recorded` are the attributes that show
the history. `resuming` lets a fit go on as if it had not stopped, and writes checkpoints;
`watched` tells callbacks of a fit and its epochs; `training_control` has the public methods
that train nothing; `interchange` brings a network to scikit-learn and back. Parameters are
declared in `fastdnn/models/declarations.py`.

Called by nobody below: the top of the house.
"""
