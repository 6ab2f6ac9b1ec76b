"""Splits, errors, ranks and stored results of the benchmark on tables."""

import json
import math

import numpy as np
import pytest

from benchmarks import table_markdown
from benchmarks.real_tables import Table, load, made, names_in, split
from benchmarks.table_contenders import CONTENDERS, encoder, why_missing
from benchmarks.table_fit import Work, errors, run
from benchmarks.table_summary import MAIN, SHIFT, failures, means, standings
from benchmarks.tables import Stored, works

HERE = {"processor": "abacus"}


def table_of(n_rows, n_official=-1, is_regression=False):
    """Return a table with a number that is missing in places, and a category."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_rows, 3)).astype(np.float32)
    X[::7, 0] = np.nan
    X[:, 2] = rng.integers(0, 4, n_rows)
    X[::9, 2] = np.nan
    y = X[:, 1] if is_regression else (X[:, 1] > 0.0).astype(np.int64)
    return Table(X, y, is_regression, np.array([False, False, True]), n_official)


@pytest.fixture
def folder(tmp_path):
    for is_regression in (False, True):
        table = table_of(300, is_regression=is_regression)
        np.savez(
            tmp_path / ("numbers" if is_regression else "classes"),
            X=table.X,
            y=table.y,
            task="regression" if is_regression else "classification",
            cat_mask=table.categories,
            n_train=table.n_official,
        )
    return tmp_path


# -- tables ---------------------------------------------------------------------------------


def test_rows_are_split_sixty_to_twenty_to_twenty_of_each_class():
    table = table_of(1000)
    parts = split(table, 0, 10_000)
    assert [len(part) for part in parts] == [600, 200, 200]
    assert sorted(np.concatenate(parts)) == list(range(1000))
    shares = [table.y[part].mean() for part in parts]
    np.testing.assert_allclose(shares, table.y.mean(), atol=0.005)
    assert not np.array_equal(parts.test, split(table, 1, 10_000).test)


def test_official_test_rows_are_kept_and_a_fifth_of_the_others_validates():
    parts = split(table_of(1000, n_official=500), 0, 10_000)
    assert [len(part) for part in parts] == [400, 100, 500]
    assert parts.test.min() == 500


def test_a_cap_holds_for_training_and_a_third_of_it_for_validation():
    whole, parts = (split(table_of(1000), 0, cap) for cap in (10_000, 90))
    assert [len(part) for part in parts] == [90, 30, 200]
    assert set(parts.train) <= set(whole.train)
    assert set(parts.validation) <= set(whole.validation)


def test_a_table_is_made_of_any_size():
    table, parts = made(2000)
    assert table.X.shape == (2400, 20)
    assert [len(part) for part in parts] == [2000, 200, 200]
    assert 0.0 < np.isnan(table.X[:, :15]).mean() < 0.03
    assert 0.3 < table.y.mean() < 0.7


# -- contenders -----------------------------------------------------------------------------


def test_what_contenders_are_fed():
    table = table_of(100)
    fed = {
        name: encoder(name, table.categories).fit_transform(table.X)
        for name in ("float32", "float64", "raw")
    }
    np.testing.assert_array_equal(fed["raw"], table.X)
    assert fed["float32"].dtype == np.float32
    assert fed["float64"].shape == (100, 2 + 5)  # numbers, levels and missing
    np.testing.assert_allclose(fed["float64"][:, :2].mean(axis=0), 0.0, atol=1e-6)


def test_data_frames_have_categories_as_words():
    pytest.importorskip("pandas")
    table = table_of(100)
    frame = encoder("frame", table.categories).fit_transform(table.X)
    assert frame.iloc[:, 0].isna().sum() == np.isnan(table.X[:, 0]).sum()
    assert set(frame.iloc[:, 2]) == {"missing", *(f"level {i}" for i in range(4))}
    filled = encoder("filled frame", table.categories).fit_transform(table.X)
    assert not filled.isna().any().any()
    assert filled.iloc[0, 0] == np.float32(np.nanmedian(table.X[:, 0]))


@pytest.mark.parametrize("name", ["numbers", "classes"])
@pytest.mark.parametrize("who", [who for who in CONTENDERS if "8" not in who])
def test_contenders_learn(who, name, folder):
    if reason := why_missing(who):
        pytest.skip(reason)  # an optional package; the reason says how to install it
    found = run(Work(who, 0, str(folder), name, 120))
    assert found["rows"] == [120, 40, 60]
    assert found.get("nrmse", found.get("error")) < 0.7
    assert ("log_loss" in found) == ("1-auc" in found) == (name == "classes")
    assert found["fit_s"] > 0.0


class Sure:
    """Knows two of three classes, and is sure of the second one."""

    classes_ = np.array([0, 2])

    def predict_proba(self, X):
        """Return what it is sure of."""
        return np.tile(np.float32([0.0, 1.0]), (len(X), 1))


def test_errors_of_classes():
    y = np.array([2, 2, 2, 1])
    table = Table(np.zeros((4, 1), np.float32), y, False, np.array([False]), -1)
    found = errors(Sure(), table.X, y, np.array([2, 2, 2, 2]), table)
    assert found["error"] == 0.25
    assert found["log_loss"] == pytest.approx(-math.log(1e-7) / 4.0, rel=1e-5)


def test_errors_of_numbers():
    y = np.float32([0.0, 0.0, 2.0, 2.0])
    table = Table(np.zeros((4, 1), np.float32), y, True, np.array([False]), -1)
    assert errors(None, table.X, y, y + np.float32(0.5), table) == {"nrmse": 0.5}


# -- summaries ------------------------------------------------------------------------------


def results_of(errors_by_contender, metric="error"):
    """Return results with the errors of contenders on tables a, b, ... with one seed."""
    records = [
        {"contender": who, "table": "abc"[i], "seed": 0, "rows": [9], "columns": 2}
        | ({"failed": "no memory"} if error is None else {metric: error})
        for who, of_tables in errors_by_contender.items()
        for i, error in enumerate(of_tables)
    ]
    contenders = {
        who: {
            "title": who.upper(),
            "members": 4 if who.startswith("fastdnn") else None,
            "validates": False,
        }
        for who in errors_by_contender
    }
    about = {"cap": 9, "environments": [], "large": {}}
    return {"records": records, "contenders": contenders, **about}


def test_ranks_ratios_and_wins():
    found = standings(results_of({"x": [0.03, 0.1], "y": [0.01, 0.1], "z": [0.07, 0.2]}))
    assert [found[who].rank for who in "xyz"] == [1.75, 1.25, 3.0]
    assert [found[who].wins for who in "xyz"] == [1, 2, 0]
    assert found["y"].ratio == pytest.approx(1.0)
    assert found["x"].ratio == pytest.approx(math.sqrt((0.03 + SHIFT) / (0.01 + SHIFT)))


def test_estimators_of_ours_do_not_take_places_from_each_other():
    ours = {MAIN: [0.2], "fastdnn_other": [0.1], "fastdnn_third": [0.15]}
    found = standings(results_of({"x": [0.3], "y": [0.12], **ours}))
    assert {who: standing.rank for who, standing in found.items()} == {
        "x": 3.0,
        "y": 1.0,
        MAIN: 2.0,
        "fastdnn_other": 1.0,
        "fastdnn_third": 2.0,
    }
    assert found[MAIN].ratio == pytest.approx((0.2 + SHIFT) / (0.12 + SHIFT))


def test_only_who_ran_on_every_table_is_ranked():
    results = results_of({"x": [0.3, 0.2], "y": [0.1, None], "z": [0.1]})
    assert standings(results)["x"].rank == 1.0
    assert set(standings(results)) == {"x"}
    assert failures(results) == {("y", "b")}
    assert standings(results_of({})) == {}


def test_means_are_of_all_seeds_of_a_table_or_there_are_none():
    results = results_of({"x": [0.3], "y": [0.1]})
    again = results["records"][0] | {"seed": 1, "error": 0.5}
    results["records"].append(again)
    assert means(results, "error") == {"x": {"a": 0.4}, "y": {}}


def test_tables_show_the_lowest_what_failed_and_what_is_not_there(monkeypatch):
    results = results_of({"x": [0.3, 0.2], "y": [0.1, None], "z": [0.15]})
    monkeypatch.setattr(table_markdown, "stored", lambda name: results)
    rows = table_markdown.errors_table().splitlines()
    assert rows[0] == "| estimator | a, 9 x 2 | b, 9 x 2 |"
    assert rows[2] == "| X | 0.3000 | **0.2000** |"
    assert rows[3] == "| Y | **0.1000** | failed |"
    assert rows[4] == "| Z | 0.1500 | not run |"
    main = table_markdown.standing_table()
    assert "| X |  | 1.00 | 1.000 | 2 | not timed | not timed | unknown |" in main
    assert "| Y |  | not run |" in main
    assert "not timed" in table_markdown.seconds_table()
    assert "not run" in table_markdown.large_table()


# -- stored results -------------------------------------------------------------------------


def test_what_is_stored_is_not_run_again(tmp_path):
    path, work = tmp_path / "tables.json", Work("hgb", 0, "", "a", 9)
    Stored(path, 9).add(work, {"error": 0.1, "fit_s": 1.0, "split": "s"}, HERE)
    stored = Stored(path, 9)
    assert stored.has(work, True) and stored.has(work, False)
    assert not stored.has(work._replace(seed=1), False)
    assert not stored.has(work._replace(contender="mlp"), False)
    stored.add(work, {"error": 0.2, "split": "s"}, HERE)
    assert stored.has(work, False) and not stored.has(work, True)
    stored.add(work, {"failed": "no memory"}, HERE)
    assert not stored.has(work, False)
    assert len(Stored(path, 9).results["records"]) == 1
    assert not list(tmp_path.glob("*.part"))


def test_machines_that_no_fit_is_of_are_forgotten(tmp_path):
    path, work = tmp_path / "tables.json", Work("hgb", 0, "", "a", 9)
    there = {"processor": "slide rule"}
    stored = Stored(path, 9)
    stored.add(work, {"error": 0.1}, HERE)
    stored.add_large(work, {"error": 0.1}, there)
    stored.add(work, {"error": 0.1}, there)
    results = json.loads(path.read_text())
    assert results["environments"] == [there]
    assert results["records"][0]["environment"] == 0
    assert results["large"]["hgb"]["environment"] == 0


def test_fits_on_other_rows_are_refused(tmp_path):
    path, work = tmp_path / "tables.json", Work("hgb", 0, "", "a", 9)
    stored = Stored(path, 9)
    stored.add(work, {"error": 0.1, "split": "s"}, HERE)
    with pytest.raises(ValueError, match="--cap 10"):
        Stored(path, 10)
    with pytest.raises(ValueError, match="split in another way"):
        stored.add(work._replace(contender="mlp"), {"error": 0.1, "split": "t"}, HERE)
    stored.add(work._replace(contender="mlp"), {"failed": "no memory"}, HERE)


def test_contenders_take_turns(folder):
    assert names_in(folder) == ["classes", "numbers"]
    found = list(works(folder, ["classes", "numbers"], 2, ["hgb", "mlp"], 9))
    assert len(found) == 8
    assert [work.contender for work in found[:4]] == ["hgb", "mlp", "hgb", "mlp"]
    assert load(folder, found[-1].table).is_regression
