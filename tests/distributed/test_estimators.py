"""The Dask estimators, on a cluster that is threads of this process."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from fastdnn import DNNClassifier, DNNRegressor

pytest.importorskip("distributed")
pytestmark = pytest.mark.filterwarnings(
    # Of other packages, in their own threads.
    "ignore::DeprecationWarning",
    "ignore::ResourceWarning",
    "ignore::pytest.PytestUnraisableExceptionWarning",
)

import dask.array as da  # noqa: E402
import dask.dataframe as dd  # noqa: E402
import pandas as pd  # noqa: E402
from distributed import Client  # noqa: E402

from fastdnn.distributed import DaskDNNClassifier, DaskDNNRegressor  # noqa: E402

RNG = np.random.RandomState(0)
X = RNG.randn(40, 3).astype(np.float32)
# Sorted: no partition of ten rows has all classes.
Y = np.repeat([3, 5, 8], [10, 10, 20])
OPTIONS = {"hidden_layer_sizes": (3,), "max_iter": 2, "batch_size": 20, "random_state": 0}


@pytest.fixture(scope="module")
def client():
    with Client(
        processes=False, n_workers=1, threads_per_worker=2, dashboard_address=None
    ) as made:
        yield made


def arrays(rows=10):
    return da.from_array(X, (rows, 3)), da.from_array(Y, rows)


def frames():
    table = pd.DataFrame(X, columns=list("abc")).assign(y=Y)
    table = dd.from_pandas(table, npartitions=4)
    return table[list("abc")], table["y"]


def theta_of(model):
    return model.to_local()._state.parameters.theta


def test_classifier_on_arrays(client):
    dX, dy = arrays()
    model = DaskDNNClassifier(**OPTIONS).fit(dX, dy)
    local = model.to_local()
    assert type(local) is DNNClassifier
    assert local.get_params() == DNNClassifier(**OPTIONS).get_params()
    assert model.classes_.tolist() == [3, 5, 8]
    assert (model.n_iter_, model.n_features_in_, len(model.loss_curve_)) == (2, 3, 2)
    found = model.predict(dX)
    assert found.chunks == dy.chunks
    assert found.dtype == Y.dtype
    assert (found.compute() == local.predict(X)).all()
    assert (model.predict_proba(dX).compute() == local.predict_proba(X)).all()
    assert (model.predict_proba(X) == local.predict_proba(X)).all()
    assert model.score(dX, dy) == local.score(X, Y)


def test_data_frames_give_the_same_network(client):
    dX, dy = frames()
    model = DaskDNNClassifier(**OPTIONS).fit(dX, dy)
    assert model.feature_names_in_.tolist() == ["a", "b", "c"]
    assert (theta_of(model) == theta_of(DaskDNNClassifier(**OPTIONS).fit(*arrays()))).all()
    table = dX.compute()
    assert (model.predict_proba(dX).compute() == model.predict_proba(table)).all()
    assert model.score(dX, dy) == model.to_local().score(table, Y)
    # A partition in which a filter leaves nothing
    assert len(model.predict(dX[dX["a"] > 1e9]).compute()) == 0


def test_shards_are_part_of_the_result_and_chunks_are_not(client):
    two = theta_of(DaskDNNClassifier(**OPTIONS, n_shards=2).fit(*arrays()))
    assert (two == theta_of(DaskDNNClassifier(**OPTIONS).fit(*arrays(20)))).all()
    assert (two != theta_of(DaskDNNClassifier(**OPTIONS).fit(*arrays()))).any()
    with pytest.raises(ValueError, match="n_shards=5 needs as many partitions"):
        DaskDNNClassifier(**OPTIONS, n_shards=5).fit(*arrays())


def test_regressor_with_weights(client):
    dX, weight = arrays()[0], da.from_array(np.where(X[:, 1] > 0, 2.0, 1.0), 10)
    for target in (X[:, 0], X[:, :2]):
        dy = da.from_array(target, (10, *target.shape[1:]))
        model = DaskDNNRegressor(**OPTIONS).fit(dX, dy, weight)
        local = model.to_local()
        assert type(local) is DNNRegressor
        found = model.predict(dX).compute()
        assert (found == local.predict(X)).all()
        assert found.shape == target.shape
        assert model.score(dX, dy) == pytest.approx(local.score(X, target))


def test_balanced_weights_are_those_of_all_partitions(client):
    balanced = DaskDNNClassifier(**OPTIONS, class_weight="balanced").fit(*arrays())
    by_hand = {3: 40 / 30, 5: 40 / 30, 8: 40 / 60}
    other = DaskDNNClassifier(**OPTIONS, class_weight=by_hand).fit(*arrays())
    assert (theta_of(balanced) == theta_of(other)).all()
    assert balanced.to_local().class_weight == "balanced"
    with pytest.raises(ValueError, match="class_weight='balanced' is not supported"):
        balanced.fit(*arrays(), da.ones(40, chunks=10))


def test_texts_and_several_labels(client):
    dX, _ = arrays()
    texts = pd.Series(np.where(X[:, 0] > 0, "yes", "no"))
    dy = dd.from_pandas(texts, npartitions=4)
    table = dd.from_pandas(pd.DataFrame(X, columns=list("abc")), npartitions=4)
    model = DaskDNNClassifier(**OPTIONS).fit(table, dy)
    assert model.classes_.tolist() == ["no", "yes"]
    labels = da.from_array((X > 0).astype(int), (10, 3))
    model = DaskDNNClassifier(**OPTIONS).fit(dX, labels)
    assert model.predict(dX).compute().shape == (40, 3)
    with pytest.raises(ValueError, match="probabilities of classes are not supported"):
        model.fit(dX, labels.astype(float))
    with pytest.raises(ValueError, match="one dimension"):
        model.fit(dX, labels[:, :1])


def test_parameters_are_those_of_the_network(client):
    model = DaskDNNClassifier(**OPTIONS, n_shards=2, client=client)
    assert set(model.get_params()) == set(DNNClassifier().get_params()) | {
        *("n_shards", "sync_epochs", "rounds_per_epoch", "outer_momentum"),
    }
    other = clone(model)
    assert other.client is client
    assert other.get_params() == model.get_params()
    with pytest.raises(NotFittedError):
        model.predict(X)
    with pytest.raises(NotFittedError):
        check_is_fitted(model)
    model.fit(*arrays())
    check_is_fitted(model)
    same = pickle.loads(pickle.dumps(model))
    assert same.client is None
    assert (same.predict_proba(X) == model.predict_proba(X)).all()
    with pytest.raises(AttributeError, match="no attribute 'nothing_'"):
        same.nothing_  # noqa: B018
    with pytest.raises(TypeError, match="no parameter 'hidden'"):
        DaskDNNClassifier(hidden=3)


BAD_PARAMETERS = [
    ({"solver": "lbfgs"}, "solver='lbfgs' has no steps"),
    ({"early_stopping": True}, "early_stopping=True is not supported on a cluster"),
    ({"n_members": 3}, "n_members=3 is not supported"),
    ({"n_shards": 0}, "n_shards=0 must be an integer of at least 1"),
    ({"sync_epochs": -1}, "sync_epochs=-1 must be a number"),
    ({"rounds_per_epoch": 2.5}, "rounds_per_epoch=2.5 must be an integer"),
    ({"outer_momentum": 1.0}, "outer_momentum=1.0 must be a number .* at most 0.99"),
    ({"activation": "none"}, "activation"),
]


@pytest.mark.parametrize(("options", "message"), BAD_PARAMETERS)
def test_bad_parameters(client, options, message):
    with pytest.raises(ValueError, match=message):
        DaskDNNClassifier(**OPTIONS | options).fit(*arrays())


def unequal_blocks(block):
    """Return an array one block of which is another than Dask believes."""
    dX, _ = arrays()
    return da.map_blocks(
        lambda x, block_info: block(x) if block_info[0]["chunk-location"][0] == 2 else x,
        dX,
        dtype=dX.dtype,
        meta=X[:0],
    )


def with_nan(x):
    x = x.copy()
    x[3, 1] = np.nan
    return x


BAD_COLLECTIONS = [
    (lambda: (X, arrays()[1]), TypeError, "X must be a Dask array or data frame, got ndarray"),
    (lambda: (arrays()[0], None), TypeError, "y must be a Dask array"),
    (lambda: (arrays()[0], arrays(20)[1]), ValueError, "y is cut into other chunks than X"),
    (lambda: (arrays()[0], da.from_array(Y, 8)), ValueError, r"y.rechunk"),
    (lambda: (frames()[0], arrays(20)[1]), ValueError, "y is cut into other chunks than X"),
    (
        lambda: (arrays()[0].rechunk({1: 2}), arrays()[1]),
        ValueError,
        r"cut between its columns, into chunks of \(2, 1\).*rechunk\(\{1: -1\}\)",
    ),
    (
        lambda: (frames()[0].to_dask_array(), arrays()[1]),
        ValueError,
        r"X has chunks of unknown sizes.*X.compute_chunk_sizes\(\)",
    ),
    (
        lambda: (da.from_array(X, ((10, 0, 30), 3)), da.from_array(Y, ((10, 0, 30),))),
        ValueError,
        "Partition 1 of X is empty",
    ),
    (
        lambda: (dd.from_pandas(frames()[0].compute().head(39), npartitions=4), frames()[1]),
        ValueError,
        "Partition 3 has other numbers of rows.*9 of X, 10 of y",
    ),
    (
        lambda: (unequal_blocks(lambda x: x.astype(np.float64)), arrays()[1]),
        ValueError,
        r"Partition 2 has other dtypes in X than partition 0: \('float64',\)",
    ),
    (
        lambda: (unequal_blocks(lambda x: x[:, :2]), arrays()[1]),
        ValueError,
        "Partition 2 has other columns of X than partition 0: 2, not 3",
    ),
    (
        lambda: (unequal_blocks(with_nan), arrays()[1]),
        ValueError,
        "Partition 2 is not valid: Input X contains NaN",
    ),
    (lambda: (arrays()[0][:, 0], arrays()[1]), ValueError, "Give X two dimensions"),
]


@pytest.mark.parametrize(("make", "error", "message"), BAD_COLLECTIONS)
def test_bad_collections(client, make, error, message):
    with pytest.raises(error, match=message):
        DaskDNNClassifier(**OPTIONS).fit(*make())


def test_targets_that_are_not_finite(client):
    dX, _ = arrays()
    y = da.from_array(np.where(np.arange(40) == 25, np.inf, 1.0), 10)
    with pytest.raises(ValueError, match="Partition 2 is not valid: y has NaN or infinity"):
        DaskDNNRegressor(**OPTIONS).fit(dX, y)


def test_many_shards_and_large_jobs_add_up_to_the_same(client, monkeypatch):
    """Sums of more shards are made on workers, and large jobs are tasks."""
    dX, dy = arrays(4)
    model = DaskDNNClassifier(**OPTIONS).fit(dX, dy)
    monkeypatch.setattr("fastdnn.distributed.cluster._MOST_BYTES", 0)
    assert (theta_of(model) == theta_of(DaskDNNClassifier(**OPTIONS).fit(dX, dy))).all()
