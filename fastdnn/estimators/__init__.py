"""The estimators of scikit-learn: what a user gives and gets.

`classifier` and `regressor` are public; `base` is what they share. `validation` and `labels`
check samples and targets; `accuracy` is the score; `interchange` brings a network to
scikit-learn and back.
"""
