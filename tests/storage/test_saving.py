"""Saving a model: files that are replaced as a whole, and what a file cannot hold."""

import os
import stat

import numpy as np
import pytest

import fastdnn
from fastdnn import DeepNeuralNetwork, DNNClassifier, ModelFileError


@pytest.mark.parametrize("as_path", [str, os.fspath, lambda path: path])
def test_paths_of_every_kind(as_path, fitted, path):
    fitted("unfitted")[0].save(as_path(path))
    assert fastdnn.load(as_path(path)).alpha == 0.5


@pytest.mark.parametrize("wrong", [3, None, b"model", ["model"]])
def test_what_is_no_path_is_refused(wrong, fitted):
    with pytest.raises(TypeError, match=r"path=.* must be a str or a PathLike"):
        fitted("unfitted")[0].save(wrong)
    with pytest.raises(TypeError, match=r"path=.* must be a str or a PathLike"):
        fastdnn.load(wrong)


def test_a_file_is_replaced_as_a_whole_or_not_at_all(fitted, path, monkeypatch):
    fitted("unfitted")[0].save(path)
    before = path.read_bytes()

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(ModelFileError, match=r"model\.safetensors.*No space left"):
        fitted("network")[0].save(path)
    assert path.read_bytes() == before
    assert [other.name for other in path.parent.iterdir()] == [path.name]


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_permissions_are_those_of_a_new_file_or_of_the_old_one(fitted, path):
    model = fitted("unfitted")[0]
    mask = os.umask(0o027)
    try:
        model.save(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        path.chmod(0o604)
        model.save(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o604
    finally:
        os.umask(mask)


@pytest.mark.skipif(os.name != "posix", reason="links of POSIX")
def test_a_link_stays_a_link(fitted, path):
    (path.parent / "real").write_bytes(b"")
    path.symlink_to("real")
    fitted("unfitted")[0].save(path)
    assert path.is_symlink()
    assert fastdnn.load(path.parent / "real").alpha == 0.5


@pytest.mark.skipif(os.name != "posix", reason="files of POSIX")
def test_only_regular_files_are_replaced(fitted, path):
    os.mkfifo(path)
    for other in (path, path.parent, "/dev/null"):
        with pytest.raises(ModelFileError, match="not a regular file"):
            fitted("unfitted")[0].save(other)
    assert stat.S_ISFIFO(path.stat().st_mode)
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_a_folder_that_is_missing_is_named(fitted, path):
    with pytest.raises(ModelFileError, match=r"missing.*No such file"):
        fitted("unfitted")[0].save(path.parent / "missing" / "model")


# -- what a file cannot hold ---------------------------------------------------------------


class Mine(DNNClassifier):
    pass


def _set(name, value):
    return lambda model: setattr(model, name, value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set("random_state", np.random), "random_state"),
        (
            _set("random_state", np.random.RandomState(np.random.PCG64(0))),
            "PCG64.*Set random_state to an int",
        ),
        (_set("activation", abs), "activation"),
        (_set("activation", "swish"), "activation.* must be a str among .*swish"),
        (_set("alpha", "a lot"), "alpha.*a lot"),
        (_set("alpha", np.nan), "alpha"),
        (_set("alpha", 10**400), "alpha"),
        (_set("tol", -1.0), "tol"),
        (_set("max_iter", 2.5), r"max_iter.*2\.5"),
        (_set("n_iter_no_change", -np.inf), "n_iter_no_change"),
        (_set("hidden_layer_sizes", (3, "4")), "hidden_layer_sizes"),
        (_set("hidden_layer_sizes", (3, 0)), "hidden_layer_sizes"),
        (_set("note", "mine"), r"\['note'\].*delattr\(model, 'note'\)"),
        (_set("classes_", np.array([1, 2], dtype=object)), "classes_.*not strings"),
        (_set("classes_", np.array(["a", "b\0"], dtype=object)), "classes_.*NUL"),
        (_set("classes_", np.array([1, 2], dtype="M8[D]")), "dtype"),
        (_set("classes_", np.array([1, 2], dtype="G")), "dtype"),
        (_set("classes_", np.array([2, 1])), "ascending"),
        (_set("classes_", np.array([1.0, np.nan])), "NaN"),
        (_set("classes_", np.array([1, 2, 3])), "3 classes"),
        (_set("classes_", [1, 2]), "classes_"),
        (_set("coefs_", [np.zeros((3, 4)), np.full((4, 1), np.nan)]), "coefs_.*NaN"),
        (_set("coefs_", [np.zeros((3, 4)), np.zeros((5, 1))]), "coefs_"),
        (_set("feature_names_in_", np.array([1, 2, 3])), "feature_names_in_"),
        (_set("feature_names_in_", np.array(["a"], dtype=object)), "feature_names"),
        (_set("n_layers_", 7), "n_layers_"),
        (lambda model: model._state.parameters.theta.fill(np.inf), "NaN or infinity"),
        (lambda model: model._state.optimizer.memory.fill(np.nan), "NaN or infinity"),
        (lambda model: model._state.optimizer.memory.fill(-1.0), "second moment"),
    ],
)
def test_what_a_file_cannot_hold_is_named(change, message, fitted, path):
    model, _, _ = fitted("binary")
    change(model)
    with pytest.raises(ModelFileError, match=message):
        model.save(path)
    assert not path.exists()


def test_what_a_file_cannot_hold_of_a_network_is_named(fitted, path):
    network, _, _ = fitted("network")
    network.W1[0, 0] = np.inf
    with pytest.raises(ModelFileError, match=r"coefs\.0 has NaN or infinity"):
        network.save(path)
    network.W1 = np.zeros((3, 4))
    network.note = "mine"
    with pytest.raises(ModelFileError, match=r"delattr\(model, 'note'\)"):
        network.save(path)


def test_a_class_of_ones_own_is_refused(path):
    with pytest.raises(ModelFileError, match="Mine is a class of your own"):
        Mine().save(path)


def test_a_network_of_too_many_layers_is_refused(path):
    with pytest.raises(ModelFileError, match="too many layers"):
        DeepNeuralNetwork([1] * 40_000).save(path)
