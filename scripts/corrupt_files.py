"""Damages model files at random and loads them: each gives a clear error or a sound model.

    python scripts/corrupt_files.py [TRIES] [SEED]

Bits flip, pieces are cut out, put in, exchanged and overwritten, and the header is edited.
Half of the damaged files get a right length of the header and a right digest again, as
somebody with bad intentions would give them: they get as far as the checks of what it says.
"""

import contextlib
import copy
import hashlib
import io
import json
import random
import re
import sys
import tempfile
import tracemalloc
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import fastdnn

_MODELS = Path(__file__).parent.parent / "tests" / "stored" / "models_2"
# What Python needs for the parsed header and for messages, whatever the file says.
_BYTES_BESIDE = 2**20
_DIGEST = re.compile(rb'"sha256":\s*"[^"]*"')
# Values that are wrong nearly everywhere, or right and large.
NASTY: list[Any] = [
    None, True, False, -1, 0, 1, 2, 3, 7, 2**31, 2**62, 2**63, 10**400, 0.5, -0.0, 1e308,
    5e-324, "", "a", "inf", "nan", "float32", "F16", "BOOL", "__class__", "adam", "softmax",
    "\udcff", "\u0000", "💥", "9" * 50,
    [], [1], [0, 0], [2**62, 2**62], {}, {"a": 1}, [[[[]]]],
]  # fmt: skip


def write_anew(path: Path, content: bytes) -> None:
    """Write a file: some systems take far longer to write over one."""
    path.unlink(missing_ok=True)
    path.write_bytes(content)


def parts_of(data: bytes) -> tuple[bytes, bytes]:
    """Return header and payload of a file that is in order."""
    end = 8 + int.from_bytes(data[:8], "little")
    return data[8:end], data[end:]


def sealed(header: bytes, payload: bytes) -> bytes:
    """Return a file whose length of the header and whose digest are right."""
    entry = b'"sha256":"%s"'
    blank = _DIGEST.sub(entry % (b"0" * 64), header, count=1)
    length = len(blank).to_bytes(8, "little")
    digest = hashlib.sha256(length + blank + payload).hexdigest().encode()
    return length + blank.replace(entry % (b"0" * 64), entry % digest, 1) + payload


def with_document(data: bytes, edit: Callable[[dict, dict], None]) -> bytes:
    """Return a sealed file after `edit` of its header and of what it says of the model."""
    text, payload = parts_of(data)
    header = json.loads(text)
    document = json.loads(header["__metadata__"]["model"])
    edit(header, document)
    with contextlib.suppress(KeyError, TypeError):
        header["__metadata__"]["model"] = json.dumps(document)
    return sealed(json.dumps(header, separators=(",", ":")).encode(), payload)


# -- damages -------------------------------------------------------------------------------


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Return container and key of everything within a parsed value."""
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    found = [(value, key) for key in keys]
    for key in keys:
        if isinstance(value[key], dict | list):
            found += _places(value[key])
    return found


def _edit_anything(draw: random.Random, value: Any) -> None:
    container, key = draw.choice(_places(value))
    action = draw.choice(["replace", "replace", "replace", "remove", "add", "exchange"])
    if action == "replace":
        old, new = container[key], draw.choice(NASTY)
        if isinstance(old, int) and draw.random() < 0.5:
            new = old + draw.choice([-1, 1, 8, 2**32])
        container[key] = copy.deepcopy(new)
    elif action == "remove":
        del container[key]
    elif action == "add" and isinstance(container, dict):
        container[draw.choice(["a", "__reduce__", "coefs.9", "\udcff"])] = draw.choice(NASTY)
    elif action == "add":
        container.append(draw.choice(NASTY))
    else:
        other, another = draw.choice(_places(value))
        if key in _keys(container) and another in _keys(other):
            with contextlib.suppress(KeyError, IndexError, TypeError):
                new, old = copy.deepcopy(other[another]), copy.deepcopy(container[key])
                container[key], other[another] = new, old


def _keys(container: Any) -> Any:
    return container if isinstance(container, dict) else range(len(container))


def edit_header(draw: random.Random, data: bytes) -> bytes:
    """Change the header, or what it says of the model, and seal the file."""

    def edit(header: dict, document: dict) -> None:
        for _ in range(draw.choice([1, 1, 1, 2])):
            _edit_anything(draw, draw.choice([header, document, document]))

    return with_document(data, edit)


def flip_bits(draw: random.Random, data: bytes) -> bytes:
    """Flip one to eight bits."""
    damaged = bytearray(data)
    for _ in range(draw.choice([1, 1, 2, 8])):
        damaged[draw.randrange(len(damaged))] ^= 1 << draw.randrange(8)
    return bytes(damaged)


def cut(draw: random.Random, data: bytes) -> bytes:
    """Leave out the end, or a piece."""
    start = draw.randrange(len(data))
    return data[:start] + data[draw.choice([len(data), start + draw.randrange(64)]) :]


def put_in(draw: random.Random, data: bytes) -> bytes:
    """Put in bytes, or a piece twice."""
    start, size = draw.randrange(len(data) + 1), draw.randrange(1, 64)
    piece = draw.choice([draw.randbytes(size), bytes(size), data[start : start + size]])
    return data[:start] + piece + data[start:]


def overwrite(draw: random.Random, data: bytes) -> bytes:
    """Overwrite a piece."""
    start, size = draw.randrange(len(data)), draw.randrange(1, 16)
    piece = draw.choice([draw.randbytes(size), bytes(size), b"\xff" * size, b"[" * size])
    return (data[:start] + piece + data[start + size :])[: len(data)]


def exchange(draw: random.Random, data: bytes) -> bytes:
    """Exchange two neighbouring sections."""
    first, middle, last = sorted(draw.randrange(len(data) + 1) for _ in range(3))
    return data[:first] + data[middle:last] + data[first:middle] + data[last:]


def damaged(draw: random.Random, data: bytes) -> bytes:
    """Return a file that is damaged in some way."""
    kinds = [edit_header, edit_header, flip_bits, cut, put_in, overwrite, exchange]
    kind = draw.choice(kinds)
    if kind is edit_header or draw.random() < 0.5:
        return kind(draw, data)
    header, payload = parts_of(data)
    if not payload or draw.random() < 0.5:
        return sealed(kind(draw, header), payload)
    return sealed(header, kind(draw, payload))


# -- what comes of them --------------------------------------------------------------------


def outcome_of(path: Path) -> str:
    """Load a file; return 'refused' or 'loaded'.

    Raises
    ------
    AssertionError
        If the error is not clear, what is loaded is not sound, or memory was wasted.
    """
    size = path.stat().st_size
    tracemalloc.start()
    try:
        model = fastdnn.load(path)
    except fastdnn.ModelFileError as error:
        message = str(error)
        assert repr(str(path)) in message, message
        assert message.endswith("."), message
        assert len(message) < 1000, message
        model = None
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 20 * size + _BYTES_BESIDE, f"{peak} bytes of memory for a file of {size}"
    if model is None:
        return "refused"
    _use(model)
    return "loaded"


def _use(model: Any) -> None:
    """Predict and train with a model that was loaded.

    Weights of 1e35 overflow and a learning rate of 1e300 diverges: with a ValueError, which
    is as it should be.
    """
    if isinstance(model, fastdnn.DeepNeuralNetwork):
        with contextlib.suppress(ValueError):
            outputs = model.predict_proba(np.ones((2, model.layer_sizes[0])))
            assert outputs.shape == (2, model.layer_sizes[-1])
        return
    if not hasattr(model, "coefs_"):
        return
    _check_parameters(model)
    X = np.ones((2, model.n_features_in_))
    with contextlib.suppress(ValueError), contextlib.redirect_stdout(io.StringIO()):
        predicted = model.predict(X)
        assert len(predicted) == 2
        if not hasattr(model, "partial_fit") or predicted.dtype.kind == "S":
            return  # scikit-learn checks labels before it goes on, and knows no bytes
        model.partial_fit(X, predicted)
        _check_parameters(model)


def _check_parameters(model: Any) -> None:
    for array in model.coefs_ + model.intercepts_:
        assert np.isfinite(array).all()


def corrupt(tries: int, seed: int, folder: Path) -> Counter:
    """Damage files and load them.

    Parameters
    ----------
    tries : int
        How many.
    seed : int
        Of the damages.
    folder : Path
        For the damaged files.

    Returns
    -------
    Counter
        How many were 'refused' and 'loaded'; anything else raises.
    """
    draw = random.Random(seed)
    files = [path.read_bytes() for path in sorted(_MODELS.glob("*.safetensors"))]
    path, outcomes = folder / "damaged.safetensors", Counter[str]()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for attempt in range(tries):
            original = draw.choice(files)
            content = damaged(draw, original)
            write_anew(path, content)
            try:
                outcome = outcome_of(path)
            except BaseException as error:
                error.add_note(f"in try {attempt} of seed {seed}")
                raise
            outcomes[outcome if content != original else "unchanged"] += 1
    return outcomes


def main() -> None:
    """Damage as many files as asked for."""
    tries = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    with tempfile.TemporaryDirectory() as folder:
        print(dict(corrupt(tries, seed, Path(folder))))


if __name__ == "__main__":
    main()
