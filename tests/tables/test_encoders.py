"""Encoders of single columns, against their formulas."""

import numpy as np
import pytest
from numpy.random import RandomState
from sklearn.preprocessing import TargetEncoder

from fastdnn.tables.bins import bins_of, quantile_edges, tree_edges
from fastdnn.tables.categories import CategoryEncoder
from fastdnn.tables.columns import Column
from fastdnn.tables.dates import parts_of_dates
from fastdnn.tables.numbers import NumberEncoder
from fastdnn.tables.targets import TargetMeans, numbers_of, shrunk_means


def encoded(encoder, values):
    out = np.full((len(values), len(encoder.names)), np.nan)
    encoder.write(values, out)
    return out


def test_a_number_is_scaled_and_clipped_smoothly():
    x = np.array([0.0, 1.0, 2.0, 3.0, 4.0, 1000.0])
    out = encoded(NumberEncoder("x", x, np.zeros(0)), x)
    u = (x - 2.5) / (np.quantile(x, 0.75) - np.quantile(x, 0.25))
    np.testing.assert_allclose(out[:, 0], u / np.sqrt(1 + (u / 3) ** 2), rtol=1e-14)
    assert abs(out).max() < 3.0


def test_missing_numbers_are_medians_with_a_mark():
    x = np.array([1.0, np.nan, 3.0, 5.0])
    encoder = NumberEncoder("x", x, np.zeros(0))
    assert encoder.names == ["x", "x_missing"]
    out = encoded(encoder, x)
    assert out[1].tolist() == [0.0, 1.0]
    assert out[[0, 2, 3], 1].tolist() == [0.0] * 3


def test_a_number_most_of_which_are_equal_is_scaled_by_its_range():
    x = np.array([0.0] * 9 + [4.0])
    out = encoded(NumberEncoder("x", x, np.zeros(0)), x)
    assert out[-1, 0] == pytest.approx(2.0 / np.sqrt(1 + (2 / 3) ** 2))


def test_components_are_shares_of_bins():
    edges = np.array([0.0, 1.0, 3.0])
    encoder = NumberEncoder("x", np.array([0.0, 3.0]), edges)
    out = encoded(encoder, np.array([-1.0, 0.5, 2.0, 9.0]))
    assert encoder.names == ["x", "x_bin0", "x_bin1"]
    assert out[:, 1:].tolist() == [[0.0, 0.0], [0.5, 0.0], [1.0, 0.5], [1.0, 1.0]]


def test_quantile_edges_have_both_ends_and_ascend():
    rng = np.random.default_rng(0)
    x = rng.exponential(size=500)
    edges = quantile_edges(x, 16)
    assert edges[0] == x.min()
    assert edges[-1] == x.max()
    assert (np.diff(edges) > 0).all()
    assert 9 <= edges.size <= 18
    assert set(edges) <= set(x)
    assert quantile_edges(np.array([0.0, 1.0] * 50), 16).size == 0


def test_tree_edges_are_where_the_target_changes():
    x = np.arange(200.0)
    y = (x >= 50) * 1.0 + (x >= 120) * 2.0
    edges = tree_edges(x, y, 3)
    assert edges.tolist() == [0.0, 49.5, 119.5, 199.0]


@pytest.mark.parametrize(
    ("n_rows", "n_numbers", "of_numbers", "of_classes"),
    [
        (10_000, 5, 32, 32),
        (1000, 5, 32, 15),
        (511, 5, 32, 0),
        (80, 5, 10, 0),
        (10_000, 100, 10, 10),
        (10_000, 500, 2, 2),
        (9, 1, 2, 0),
        (10_000, 600, 0, 0),
    ],
)
def test_bins_are_as_many_as_rows_and_columns_allow(n_rows, n_numbers, of_numbers, of_classes):
    assert bins_of(n_rows, n_numbers, predicts_numbers=True) == of_numbers
    assert bins_of(n_rows, n_numbers, predicts_numbers=False) == of_classes


def objects(*values):
    return np.array(values, dtype=object)


def test_levels_that_are_rare_or_new_share_a_column():
    values = objects(*["a"] * 100, *["b"] * 75, *["c"] * 9, *[None] * 60)
    encoder = CategoryEncoder("k", values, most_levels=10)
    assert encoder.names == ["k_a", "k_b", "k_missing", "k_infrequent"]
    out = encoded(encoder, objects("a", "c", "z", None))
    assert out.argmax(axis=1).tolist() == [0, 3, 3, 2]
    assert (out.sum(axis=1) == 1).all()


def test_the_most_frequent_levels_are_kept():
    values = objects(*["a"] * 20, *["b"] * 30, *["c"] * 25)
    encoder = CategoryEncoder("k", values, most_levels=2)
    assert encoder.names == ["k_b", "k_c", "k_infrequent"]
    assert encoder.n_levels == 3


def test_levels_of_numbers_are_sorted_by_size():
    encoder = CategoryEncoder("k", objects(*[10, 9, 2.0] * 4), most_levels=9)
    assert encoder.names == ["k_2.0", "k_9", "k_10", "k_infrequent"]
    assert encoder.codes(objects(2, 9.0)).tolist() == [0, 1]


def test_dates_have_parts():
    days = np.array(["1970-01-01", "2024-02-29T13:30", "1969-12-31T23:59:59", "NaT"], "M8[s]")
    seconds = days.astype(float)
    seconds[-1] = np.nan
    number, month, weekday, hour = parts_of_dates(Column("t", "date", seconds))
    assert [c.name for c in (month, weekday, hour)] == ["t_month", "t_weekday", "t_hour"]
    assert number.values is seconds
    assert month.values.tolist() == [1, 2, 12, None]
    assert weekday.values.tolist() == [3, 3, 2, None]  # Thursday, Thursday, Wednesday
    assert hour.values.tolist() == [0, 13, 23, None]


def test_means_of_targets_do_not_know_the_row_itself():
    """Levels of one row each say nothing; means that saw the row would say all."""
    rng = np.random.default_rng(0)
    y = rng.normal(size=300)
    means = TargetMeans("k", objects(*map(str, range(300))), y[:, None], RandomState(0))
    assert abs(np.corrcoef(means.of_other_folds[:, 0], y)[0, 1]) < 0.3
    levels = rng.integers(0, 30, 300)
    effect = rng.normal(size=30)
    y = effect[levels] + 0.1 * rng.normal(size=300)
    means = TargetMeans("k", objects(*levels.tolist()), y[:, None], RandomState(0))
    assert np.corrcoef(means.of_other_folds[:, 0], effect[levels])[0, 1] > 0.9
    out = encoded(means, objects(*levels.tolist(), "new"))
    assert np.corrcoef(out[:-1, 0], effect[levels])[0, 1] > 0.9
    assert np.isfinite(out).all()


def test_means_of_levels_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    codes, y = rng.integers(0, 20, 200), rng.exponential(size=200)
    codes[0] = 20  # of one row
    theirs = TargetEncoder(target_type="continuous").fit(codes[:, None], y)
    ours = shrunk_means(codes, y[:, None], 22)
    np.testing.assert_allclose(ours[:21, 0], theirs.encodings_[0], rtol=1e-12)
    np.testing.assert_allclose(ours[21:, 0], y.mean(), rtol=1e-14)
    assert (shrunk_means(codes, np.ones((200, 1)), 21) == 1.0).all()


def test_targets_become_numbers():
    y = np.array([3, 1, 1, 2, 2, 2])
    assert numbers_of(y, "continuous").tolist() == [[3], [1], [1], [2], [2], [2]]
    assert numbers_of(y, "auto").argmax(axis=1).tolist() == [2, 1, 1, 0, 0, 0]
    assert numbers_of(y == 1, "auto").ravel().tolist() == [0, 1, 1, 0, 0, 0]
    assert numbers_of(np.array(["a", "b"]), "classes").tolist() == [[0], [1]]
    assert numbers_of(np.arange(50), "classes").shape == (50, 16)
    assert numbers_of(np.zeros((6, 2), int), "auto").shape == (6, 2)
    assert numbers_of(y + 0.5, "auto").shape == (6, 1)


@pytest.mark.parametrize(
    ("y", "message"), [(["a", "b"], "must have numbers"), ([1.0, np.nan], "NaN or infinity")]
)
def test_targets_that_are_no_numbers_are_refused(y, message):
    with pytest.raises(ValueError, match=message):
        numbers_of(np.array(y), "continuous")
