"""Converted models, run by onnxruntime."""

import numpy as np
import onnxruntime

import fastdnn.onnx


def session_of(converted):
    """Return what runs a converted model on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        converted.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def converted_outputs(model, X, **options):
    """Return what a model puts out once it is converted, by the names of outputs."""
    session = session_of(fastdnn.onnx.to_onnx(model, X, **options))
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, fastdnn.onnx.inputs_of(X)), strict=True))


def require_same(outputs, model, X, largest=1.0):
    """Compare what is put out with what the model predicts, to 1e-6 of the largest number.

    An array X of float64 has results of float64, all others float32. Where steps that are not
    ours compute in float32, `largest` is what they round to 24 bits, each in its own way.
    """
    if isinstance(X, np.ndarray):
        is_double = X.dtype == np.float64
        name = "probabilities" if hasattr(model, "classes_") else "variable"
        assert outputs[name].dtype == (np.float64 if is_double else np.float32)
    if not hasattr(model, "classes_"):
        expected = model.predict(X)
        require_close(outputs["variable"], expected.reshape(len(expected), -1), largest)
        return
    numbers = scores_of(model, X)
    require_close(outputs["probabilities"], numbers)
    labels, expected = outputs["label"], model.predict(X)
    is_certain = margins(numbers, expected) > 1e-5
    assert is_certain.mean() > 0.5
    assert (labels == expected)[is_certain].all()


def scores_of(model, X):
    """Return the probabilities of a classifier, or else what a converted one puts out."""
    if hasattr(model, "predict_proba"):
        return model.predict_proba(X)
    scores = model.decision_function(X)
    return np.column_stack([-scores, scores]) if scores.ndim == 1 else scores


def margins(numbers, labels):
    """Return how far from each other the largest numbers are, or each from its threshold."""
    if np.ndim(labels) == 2:
        return np.abs(numbers - (0.5 if (numbers >= 0.0).all() else 0.0))
    ordered = np.sort(numbers, axis=1)
    return ordered[:, -1] - ordered[:, -2]


def require_close(found, expected, largest=1.0):
    """Compare to 1e-6, times the largest number where that is above 1."""
    assert found.shape == expected.shape
    scale = max(largest, float(np.abs(expected).max()))
    np.testing.assert_allclose(found, expected, rtol=0.0, atol=1e-6 * scale)
