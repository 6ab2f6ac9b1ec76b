"""Whether what a fitted estimator holds fits together."""

from typing import Any

from fastdnn._parameters import Parameters


def checked_parameters(model: Any) -> Parameters:
    """Return the parameters of a fitted estimator."""
    parameters = model._parameters
    parameters.take_over(model.coefs_, model.intercepts_)
    return parameters
