"""Members that share weights: what they have in common, and what is their own."""

import numpy as np
import pytest

from fastdnn.data.samples import Samples
from fastdnn.tables import TabularDNNClassifier, TabularDNNRegressor
from fastdnn.tables.shared_members import SharedOrders
from fastdnn.training.order import VisitOrder
from tests.tables.tables import BOTH, SMALL, outputs, table, targets

slow = pytest.mark.slow_without_jit
SHARED = SMALL | {"shared_weights": True, "n_members": 3}


@slow
@BOTH
def test_hidden_weights_are_shared(Estimator):
    X, y = table()
    model = Estimator(**SHARED | {"hidden_layer_sizes": (16, 12)})
    model.fit(X, targets(Estimator, y))
    networks = [cycles[-1] for cycles in model._ensemble.snapshots]
    assert len(networks) == 3
    first = networks[0]
    for other in networks[1:]:
        np.testing.assert_array_equal(other.coefs[1], first.coefs[1])
        assert not np.allclose(other.coefs[2], first.coefs[2])
        # The first layer's rows are the same but for a factor each.
        products = np.sum(first.coefs[0] * other.coefs[0], axis=1)
        norms = [np.linalg.norm(n.coefs[0], axis=1) for n in (first, other)]
        np.testing.assert_allclose(
            np.abs(products), norms[0] * norms[1], rtol=1e-4, atol=1e-12
        )
        assert (products < 0).any() and (products > 0).any()
        for own, others in zip(first.intercepts, other.intercepts, strict=True):
            assert not np.allclose(own, others)


@slow
@BOTH
def test_results_do_not_depend_on_threads(Estimator):
    X, y = table()
    y = targets(Estimator, y)
    results = [outputs(Estimator(**SHARED, n_threads=n).fit(X, y), X) for n in (1, 2, 3)]
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


@slow
@BOTH
def test_one_member_shares_with_nobody(Estimator):
    X, y = table()
    y = targets(Estimator, y)
    alone, shared = (
        Estimator(**SHARED | {"n_members": 1, "shared_weights": shares}).fit(X, y)
        for shares in (False, True)
    )
    np.testing.assert_array_equal(outputs(alone, X), outputs(shared, X))


@slow
def test_numbers_are_predicted_by_shared_weights_unless_told_otherwise():
    X, y = table()
    defaults = {name: value for name, value in SHARED.items() if name != "shared_weights"}
    default = TabularDNNRegressor(**defaults).fit(X, y)
    shared = TabularDNNRegressor(**SHARED).fit(X, y)
    np.testing.assert_array_equal(default.predict(X), shared.predict(X))
    classes = targets(TabularDNNClassifier, y)
    default = TabularDNNClassifier(**defaults).fit(X, classes)
    shared = TabularDNNClassifier(**SHARED).fit(X, classes)
    assert not np.array_equal(default.predict_proba(X), shared.predict_proba(X))


@pytest.mark.parametrize("n_rows, size", [(23, 5), (20, 5), (6, 6)])
@pytest.mark.parametrize("rows", [False, True])
def test_networks_visit_rows_each_in_an_order_of_its_own(n_rows, size, rows):
    samples = Samples(np.zeros((30, 1), np.float32), np.zeros((30, 1), np.float32))
    samples = samples.at(np.arange(29, 29 - n_rows, -1) if rows else np.arange(n_rows))
    states = [[np.random.RandomState(seed) for seed in (3, 1, 4)] for _ in range(2)]
    together = SharedOrders(samples, states[0], size)
    alone = [VisitOrder(samples, state, 1) for state in states[1]]
    for _ in range(3):
        together.prepare()
        steps = together.positions.reshape(n_rows // size, 3, size)
        for network, order in enumerate(alone):
            order.prepare(1)
            visited = order.positions[: n_rows // size * size]
            np.testing.assert_array_equal(steps[:, network].reshape(-1), visited)
