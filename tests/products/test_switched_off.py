"""Optimisations that change no bit: whole fits with one of them turned off, and with none."""

import warnings

import numpy as np
import pytest
import scipy.sparse
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning

from fastdnn import DNNClassifier, DNNRegressor
from fastdnn.products.switched_off import switched_off, without
from fastdnn.products.switches import OPTIMISATIONS

pytestmark = [pytest.mark.needs_jit, pytest.mark.usefixtures("four_cpus")]

# Around whole vectors of every length, panels of several, and columns that share few sets of a
# cache.
_WIDTHS = [1, 2, 7, 9, 10, 12, 16, 17, 33, 50, 64, 96, 100, 128, 131, 200, 256, 300]
_widths = st.sampled_from(_WIDTHS)


@st.composite
def fits(draw):
    """Draw an estimator, and the numbers that its samples are made from."""
    activation = draw(st.sampled_from(["relu", "relu", "relu", "tanh", "silu"]))
    options = {
        "hidden_layer_sizes": draw(st.lists(_widths, min_size=1, max_size=3)),
        "activation": activation,
        "batch_size": draw(st.integers(1, 300)),
        "solver": draw(st.sampled_from(["adam", "sgd"])),
        "alpha": draw(st.sampled_from([0.0, 1e-4, 1.0])),
        "shuffle": draw(st.booleans()),
        "dtype": draw(st.sampled_from(["float32", "float64"])),
        "n_threads": draw(st.integers(1, 3)),
    }
    n_rows, n_features = draw(st.integers(2, 300)), draw(_widths)
    n_outputs = draw(st.sampled_from([1, 3, 8, 9, 10, 11, 33]))
    kind = draw(st.sampled_from(["classes", "classes", "targets", "sparse"]))
    return options, (n_rows, n_features, n_outputs), kind, draw(st.booleans())


def fit(options, sizes, kind, is_weighted):
    """Return all that a fit learns, reports and predicts, as bytes."""
    n_rows, n_features, n_outputs = sizes
    generator = np.random.default_rng(sizes)
    X = generator.standard_normal((n_rows, n_features))
    weight = generator.uniform(0.5, 2.0, n_rows) if is_weighted else None
    if kind == "targets":
        y = generator.standard_normal((n_rows, n_outputs))
        y = y.ravel() if n_outputs == 1 else y
    else:
        y = np.arange(n_rows) % min(n_rows, n_outputs + 1)
    if kind == "sparse":
        X = scipy.sparse.csr_matrix(np.where(X > 0.5, X, 0.0))
    Estimator = DNNRegressor if kind == "targets" else DNNClassifier
    model = Estimator(max_iter=3, random_state=0, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", "The number of unique classes is greater")
        warnings.filterwarnings("ignore", "Got `batch_size` less than 1 or larger")
        model.fit(X, y, sample_weight=weight)
    predict = model.predict if kind == "targets" else model.predict_proba
    results = [*model.coefs_, *model.intercepts_, predict(X), np.array(model.loss_curve_)]
    assert all(np.isfinite(result).all() for result in results)
    return [result.tobytes() for result in results]


def case(hidden, batch_size, sizes, kind="classes", n_threads=1, **options):
    """Write down a fit that an optimisation is made for."""
    defaults = {"solver": "adam", "alpha": 1e-4, "shuffle": True, "dtype": "float32"}
    more = {"hidden_layer_sizes": hidden, "batch_size": batch_size, "n_threads": n_threads}
    return defaults | more | options, sizes, kind, False


@pytest.mark.parametrize("name", OPTIMISATIONS)
@example(case([100], 200, (450, 100, 10), n_threads=2))
@example(case([100], 200, (300, 64, 9), "targets", n_threads=3))
@example(case([256, 128], 256, (300, 300, 10)))
@example(case([260], 260, (300, 300, 3), n_threads=2))
@example(case([512], 256, (300, 130, 100), activation="tanh", dtype="float64"))
@example(case([64, 64], 512, (600, 50, 12)))
@settings(max_examples=15, deadline=None, derandomize=True, database=None)
@given(fits())
def test_an_optimisation_changes_no_bit(name, drawn):
    expected = fit(*drawn)
    with without(name):
        assert fit(*drawn) == expected


def test_all_of_them_together_change_no_bit():
    drawn = case([256, 100], 200, (450, 100, 10), n_threads=3)
    with without(*OPTIMISATIONS):
        plain = fit(*drawn)
    assert fit(*drawn) == plain


def test_optimisations_are_off_within_the_context_only():
    assert switched_off() == 0
    with without("pair tiles"), without("mailboxes", "pair tiles"):
        assert switched_off() == sum(
            OPTIMISATIONS[name] for name in ("pair tiles", "mailboxes")
        )
    assert switched_off() == 0


def test_every_optimisation_has_a_bit_of_its_own():
    bits = list(OPTIMISATIONS.values())
    assert all(bit.bit_count() == 1 for bit in bits)
    assert sum(bits) == np.bitwise_or.reduce(bits)
