"""Files of the current format version load, and what was loaded is saved as it was."""

import json
import re
import struct

import numpy as np
import pytest
from numpy.testing import assert_allclose

import fastdnn
from fastdnn.tables import TabularDNNClassifier
from tests.model_files import FOLDER, TABLES, models, predictions_of, table_models, wave
from tests.oracle.activations import ACTIVATIONS

GOLDEN = sorted(FOLDER.glob("*.safetensors"))
GOLDEN_TABLES = sorted(TABLES.glob("*.safetensors"))


def without_version(path):
    """Return the bytes of a file, without the version that wrote it and the digest of all."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    text = data[8 : 8 + length].decode()
    assert '"format_version":"2"' in text
    header = re.sub(r'"(fastdnn_version|sha256)":"[^"]*"', "", text).rstrip()
    return header, data[8 + length :]


def test_there_is_a_file_of_each_kind():
    assert {file.stem for file in GOLDEN} == set(models())
    assert {file.stem for file in GOLDEN_TABLES} == set(table_models())


@pytest.mark.parametrize("file", GOLDEN + GOLDEN_TABLES, ids=lambda file: file.stem)
def test_what_was_loaded_is_saved_with_the_same_bytes(file, tmp_path):
    fastdnn.load(file).save(tmp_path / "again")
    assert without_version(tmp_path / "again") == without_version(file)


def test_a_network_of_all_activations_predicts_as_numpy_does():
    network = fastdnn.load(FOLDER / "network_of_all_activations.safetensors")
    A = wave()
    for l, name in enumerate(network.activations, start=1):
        A = ACTIVATIONS[name](A @ getattr(network, f"W{l}") + getattr(network, f"b{l}"))
    assert network.loss == "huber"
    assert np.ptp(A) > 0.1
    assert_allclose(network.predict_proba(wave()), A, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("file", GOLDEN_TABLES, ids=lambda file: file.stem)
def test_table_models_predict_what_they_did_when_they_were_stored(file):
    model = fastdnn.load(file)
    stored = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
    predicted = predictions_of(file.stem, model)
    for name in ("members", "mean"):
        scale = np.abs(stored[name]).max()
        assert np.ptp(stored[name], axis=-1 if name == "mean" else 0).max() > 0.0
        assert_allclose(predicted[name], stored[name], rtol=1e-4, atol=1e-6 * scale)
    if isinstance(model, TabularDNNClassifier):
        assert_allclose(np.sum(stored["mean"], axis=1), 1.0, rtol=1e-6)
        assert_allclose(
            np.mean(stored["members"], axis=0), stored["mean"], rtol=1e-4, atol=1e-6
        )
