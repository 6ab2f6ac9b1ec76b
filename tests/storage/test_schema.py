"""The schema knows all that is in a model."""

import numpy as np
import pytest

from fastdnn import DNNClassifier, DNNRegressor
from fastdnn.ops.activations import ACTIVATIONS, LEARNING_ACTIVATIONS
from fastdnn.ops.losses import LOSSES
from fastdnn.ops.optimizers import OPTIMIZERS
from fastdnn.storage import schema


@pytest.mark.parametrize("Estimator", [DNNClassifier, DNNRegressor])
def test_the_schema_knows_every_parameter(Estimator):
    described = schema.schemas()[Estimator.__name__]["properties"]["parameters"]["properties"]
    # A new parameter needs a new version of the format, which this test is then about.
    assert set(described) == set(Estimator().get_params())
    for name, constraints in Estimator._parameter_constraints.items():
        for constraint in constraints:
            for option in getattr(constraint, "options", ()):
                option = "inf" if option == np.inf else option
                values = str(described[name])
                assert repr(option) in values, (name, option)


def test_the_schema_knows_every_activation_loss_and_optimiser():
    network = schema.schemas()["DeepNeuralNetwork"]["properties"]
    assert set(network["activations"]["items"]["enum"]) == {
        *ACTIVATIONS,
        *LEARNING_ACTIVATIONS,
    }
    assert set(network["loss"]["enum"]) == set(LOSSES)
    fitted = schema.schemas()["DNNRegressor"]["properties"]["fitted"]["anyOf"][1]
    names = fitted["properties"]["optimizer"]["anyOf"][1]["properties"]["name"]["enum"]
    assert set(names) == set(OPTIMIZERS) - {"gradient"}  # which remembers nothing
