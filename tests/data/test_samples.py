"""Samples as the engine takes them."""

from dataclasses import replace

import numpy as np
import pytest

from fastdnn.data.samples import AS_THEY_LIE, Samples

FLOAT32, FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)


@pytest.mark.parametrize("name", ["X", "Y", "weight"])
def test_arrays_of_another_precision_than_the_networks_are_refused(name):
    X = np.ones((3, 2), FLOAT32)
    samples = Samples(X, Y=X[:, :1], weight=X[:, 0])
    assert np.shares_memory(samples.data(AS_THEY_LIE, FLOAT32).X, X)
    other = replace(samples, **{name: getattr(samples, name).astype(FLOAT64)})
    with pytest.raises(TypeError, match=f"{name} is float64, but the network is float32"):
        other.data(AS_THEY_LIE, FLOAT32)
