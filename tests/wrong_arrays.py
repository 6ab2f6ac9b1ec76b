"""What users give in the place of an array of numbers, by what is wrong with it."""

import numpy as np


def _strided(array):
    wide = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), array.dtype)
    wide[..., ::2] = array
    return wide[..., ::2]


def _unaligned(array):
    memory = bytearray(array.nbytes + 1)
    view = np.frombuffer(memory, np.uint8)[1:].view(array.dtype).reshape(array.shape)
    view[...] = array
    return view


def _read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


class Subclass(np.ndarray):
    """An array that is more than an array."""


#: The same numbers laid out otherwise.
SAME_NUMBERS = {
    "column by column": np.asfortranarray,
    "strided": _strided,
    "backwards": lambda array: array[::-1].copy()[::-1],
    "unaligned": _unaligned,
    "read-only": _read_only,
    "subclass": lambda array: array.view(Subclass),
}

#: The same numbers in another type.
OTHER_TYPES = {
    "list": lambda array: array.tolist(),
    "tuple": lambda array: tuple(array.tolist()),
    "other bytes": lambda array: array.astype(array.dtype.newbyteorder()),
    "other precision": lambda array: array.astype("f4" if array.dtype == "f8" else "f8"),
    "longdouble": lambda array: array.astype(np.longdouble),
}

#: No real numbers.
NO_NUMBERS = {
    "None": lambda array: None,
    "complex": lambda array: array + 1j,
    "objects": lambda array: array.astype(object),
    "text": lambda array: array.astype(str),
    "dates": lambda array: np.zeros(array.shape, "M8[s]"),
    "mask": lambda array: np.ma.masked_array(array, array > 0),
    "ragged": lambda array: [[1.0], [2.0, 3.0]],
    "dict": lambda array: {"a": 1},
    "function": lambda array: np.ones,
}

#: Other sizes.
OTHER_SHAPES = {
    "scalar": lambda array: 1.0,
    "no dimension": lambda array: np.array(1.0, array.dtype),
    "one number": lambda array: np.ones((1,) * array.ndim, array.dtype),
    "empty": lambda array: array[:0],
    "one row less": lambda array: array[:-1].copy(),
    "one row more": lambda array: np.concatenate([array, array[:1]]),
    "one column less": lambda array: array[..., :-1].copy(),
    "one column more": lambda array: np.concatenate([array, array[..., :1]], axis=-1),
    "transposed": lambda array: (
        np.ascontiguousarray(array.T) if array.ndim == 2 else array[None]
    ),
    "one dimension more": lambda array: array[..., None],
    "flat": lambda array: array.ravel() if array.ndim == 2 else array.reshape(-1, 1),
}


def _with(value):
    def replace(array):
        array = array.copy()
        array.flat[-1] = value
        return array

    return replace


#: Numbers that are none.
NOT_FINITE = {"nan": _with(np.nan), "infinity": _with(np.inf), "-infinity": _with(-np.inf)}

#: In the place of a positive number.
NO_POSITIVE_NUMBERS = [
    *(None, "0.1", "auto", True, np.bool_(True), 1j, [0.1], np.array([0.1]), {}),
    *(0, 0.0, -1, -0.1, float("nan"), float("inf"), -float("inf"), 10**400, 1e-330),
]

#: In the place of a positive integer.
NO_POSITIVE_INTEGERS = [
    *("1", True, np.bool_(True), 1.0, 1.5, np.float64(2.0), 1j, [1], np.array([1]), {}),
    *(0, -1, float("nan"), float("inf")),
]
