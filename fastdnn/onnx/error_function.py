"""The error function, which onnxruntime has for float32 only.

In float64 as `fastdnn.ops.elementary` has it: S. L. Moshier, Cephes Mathematical Library.
"""

from collections.abc import Sequence

import numpy as np

from fastdnn.onnx.graph import Tensor

# Coefficients of the largest power first: of x^2 below 1, and of |x| beyond.
_SMALL = (
    *(9.60497373987051638749, 9.00260197203842689217e1, 2.23200534594684319226e3),
    *(7.00332514112805075473e3, 5.55923013010394962768e4),
)
_OVER_SMALL = (
    *(1.0, 3.35617141647503099647e1, 5.21357949780152679795e2, 4.59432382970980127987e3),
    *(2.26290000613890934246e4, 4.92673942608635921086e4),
)
_LARGE = (
    *(2.46196981473530512524e-10, 5.64189564831068821977e-1, 7.46321056442269912687),
    *(4.86371970985681366614e1, 1.96520832956077098242e2, 5.26445194995477358631e2),
    *(9.34528527171957607540e2, 1.02755188689515710272e3, 5.57535335369399327526e2),
)
_OVER_LARGE = (
    *(1.0, 1.32281951154744992508e1, 8.67072140885989742329e1, 3.54937778887819891062e2),
    *(9.75708501743205489753e2, 1.82390916687909736289e3, 2.24633760818710981792e3),
    *(1.65666309194161350182e3, 5.57535340817727675546e2),
)


def erf(x: Tensor) -> Tensor:
    """Return the error function of a tensor of float32 or float64."""
    if x.dtype == np.float32:
        return x.erf_single()
    magnitude = abs(x).at_most(8.0)  # beyond, 1 to the last bit
    s = (x * x).at_most(1.0)  # used below 1; elsewhere it must not overflow
    small = x * _polynomial(_SMALL, s) / _polynomial(_OVER_SMALL, s)
    ratio = _polynomial(_LARGE, magnitude) / _polynomial(_OVER_LARGE, magnitude)
    large = 1.0 - (-magnitude * magnitude).exp() * ratio
    signed = x.above(0.0).chosen(large, -large)
    return magnitude.above(1.0).chosen(signed, small)


def _polynomial(coefficients: Sequence[float], x: Tensor) -> Tensor:
    first, second, *others = coefficients
    total = first * x + second
    for coefficient in others:
        total = total * x + coefficient
    return total
