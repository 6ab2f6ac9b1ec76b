"""Elementary functions of one number, as polynomials and their ratios, that vectorise.

Largest relative errors, measured against higher precision (``tests/ops/test_elementary.py``
checks them): in float32 exp 9.6e-8, tanh 3.0e-7, sigmoid 1.5e-7, log 8.2e-8, log1p 1.8e-7,
softplus 2.3e-7, erf 4.5e-7, expm1 3.4e-7, on processors without fused multiply-add tanh
4.2e-7, erf 4.7e-7, expm1 4.6e-7; in float64 all within 4.4e-16. Beyond the range of normal
numbers exp stays at its ends. NaN stays NaN. No function returns `x` itself on a condition;
why, and why none calls the C library: ``scripts/docs/engine/numbers.md``.

Sources: S. L. Moshier, Cephes Mathematical Library (``expf``, ``exp``, ``logf``, ``tanh``,
``erf``), with the range reductions of W. J. Cody and W. Waite, Software Manual for the
Elementary Functions (1980); the Eigen library's rational functions for tanh and erf in
float32; the logarithm in float64 of Sun's fdlibm (``e_log.c``).
"""

import numpy as np
from numba.core import types

from fastdnn.compiler.jit import JIT_ENABLED, by_precision, emitted, kernel
from fastdnn.machine.arithmetic import multiply_add

f32 = np.float32


def _bitcast(kinds):  # needs jit
    """Define a function that takes the bits of a number for those of another type."""

    def definition(typingctx, x):
        def codegen(context, builder, signature, args):
            return builder.bitcast(args[0], context.get_value_type(signature.return_type))

        return kinds[x](x), codegen

    return definition


if JIT_ENABLED:  # needs jit
    _bits_of = emitted(_bitcast({types.float32: types.int32, types.float64: types.int64}))
    _float_of = emitted(_bitcast({types.int32: types.float32, types.int64: types.float64}))
else:

    def _bits_of(x):
        return x.view(f"i{x.itemsize}")

    def _float_of(bits):
        return bits.view(f"f{bits.itemsize}")


@kernel
def _exp_single(x):
    # Clamped so that the exponent below stays that of a normal number.
    clamped = min(max(x, f32(-87.33654)), f32(88.37626))
    # Adding 1.5 * 2**23 rounds to an integer and leaves it in the lowest bits.
    shifted = multiply_add(clamped, f32(1.44269504088896341), f32(12582912.0))
    n = shifted - f32(12582912.0)
    # ln(2) in two parts: n * 0.693359375 is exact.
    r = multiply_add(n, f32(-0.693359375), clamped)
    r = multiply_add(n, f32(2.12194440e-4), r)
    # Each operation waits for the one before it, and processors begin with so many elements
    # only: so the polynomial is evaluated in three parts beside each other.
    s = r * r
    low = multiply_add(f32(1.6666520578e-1), r, f32(0.5))
    high = multiply_add(f32(8.3687233456e-3), r, f32(4.1668388674e-2))
    high = multiply_add(f32(1.3814585146e-3), s, high)
    p = f32(1.0) + multiply_add(s, multiply_add(s, high, low), r)
    # 2**n, added to the exponent bits.
    return _float_of(np.int32(_bits_of(p) + (_bits_of(f32(shifted)) << np.int32(23))))


@kernel
def _exp_parts_double(x):
    """Return p, d and a power of two, such that e^x is ``power * (d + p) / (d - p)``."""
    clamped = min(max(x, -708.39), 709.0)
    # As above, with 1.5 * 2**52.
    shifted = multiply_add(clamped, 1.44269504088896341, 6755399441055744.0)
    n = shifted - 6755399441055744.0
    r = multiply_add(n, -6.93145751953125e-1, clamped)
    r = multiply_add(n, -1.42860682030941723212e-6, r)
    q = r * r
    p = 1.26177193074810590878e-4
    p = multiply_add(p, q, 3.02994407707441961300e-2)
    p = multiply_add(p, q, 9.99999999999999999910e-1)
    p = p * r
    d = 3.00198505138664455042e-6
    d = multiply_add(d, q, 2.52448340349684104192e-3)
    d = multiply_add(d, q, 2.27265548208155028766e-1)
    d = multiply_add(d, q, 2.0)
    bits = _bits_of(np.float64(shifted))
    power = _float_of(np.int64((bits + np.int64(1023)) << np.int64(52)))
    return p, d, power


@kernel
def _exp_double(x):
    p, d, power = _exp_parts_double(x)
    return multiply_add(2.0, p / (d - p), 1.0) * power


exp = by_precision(_exp_single, _exp_double)


@kernel
def _tanh_single(x):
    # An odd rational function, which is 1 from the clamp on; half the time of one by exp.
    clamped = min(max(x, f32(-7.9988117)), f32(7.9988117))
    s = clamped * clamped
    p = f32(-2.76076847742355e-16)
    p = multiply_add(p, s, f32(2.00018790482477e-13))
    p = multiply_add(p, s, f32(-8.60467152213735e-11))
    p = multiply_add(p, s, f32(5.12229709037114e-08))
    p = multiply_add(p, s, f32(1.48572235717979e-05))
    p = multiply_add(p, s, f32(6.37261928875436e-04))
    p = multiply_add(p, s, f32(4.89352455891786e-03))
    q = f32(1.19825839466702e-06)
    q = multiply_add(q, s, f32(1.18534705686654e-04))
    q = multiply_add(q, s, f32(2.26843463243900e-03))
    q = multiply_add(q, s, f32(4.89352518554385e-03))
    return clamped * p / q


@kernel
def _tanh_double(x):
    # A single division, of one pair or the other, takes the place of three.
    p, d, power = _exp_parts_double(2.0 * min(abs(x), 20.0))  # beyond, 1 to the last bit
    low, high = d - p, power * (d + p)
    s = min(x * x, 1.0)  # used below 0.625; elsewhere it must not overflow
    p = -9.64399179425052238628e-1
    p = multiply_add(p, s, -9.92877231001918586564e1)
    p = multiply_add(p, s, -1.61468768441708447952e3)
    d = s + 1.12811678491632931402e2
    d = multiply_add(d, s, 2.23548839060100448583e3)
    d = multiply_add(d, s, 4.84406305325125486048e3)
    is_small = abs(x) < 0.625
    sign = 1.0 if x > 0.0 else -1.0
    # Either x + x s p / d, or the sign of x times 1 - 2 / (e^2|x| + 1).
    numerator = x * s * p if is_small else -2.0 * sign * low
    denominator = d if is_small else low + high
    return (x if is_small else sign) + numerator / denominator


tanh = by_precision(_tanh_single, _tanh_double)


@kernel
def _sigmoid_single(x):
    # 1 / (1 + e^-x), with e^-x = 2**n * e^-r as in `exp`.
    clamped = min(max(x, f32(-88.0)), f32(87.3))
    shifted = multiply_add(clamped, f32(-1.44269504088896341), f32(12582912.0))
    n = shifted - f32(12582912.0)
    r = multiply_add(n, f32(0.693359375), clamped)
    r = multiply_add(n, f32(-2.12194440e-4), r)
    s = r * r
    low = multiply_add(f32(-1.6666520578e-1), r, f32(0.5))
    high = multiply_add(f32(-8.3687233456e-3), r, f32(4.1668388674e-2))
    high = multiply_add(f32(1.3814585146e-3), s, high)
    p = f32(1.0) + multiply_add(s, multiply_add(s, high, low), -r)
    power = _float_of(np.int32(_bits_of(p) + (_bits_of(f32(shifted)) << np.int32(23))))
    return f32(1.0) / (f32(1.0) + power)


@kernel
def _sigmoid_double(x):
    p, d, power = _exp_parts_double(-x)
    low = d - p
    return low / multiply_add(power, d + p, low)


sigmoid = by_precision(_sigmoid_single, _sigmoid_double)


@kernel
def _log1p_single(x):
    # log(1 + x) = 2 artanh(s), s = x / (2 + x) <= 1/3: the series ends at s^13.
    s = x / (f32(2.0) + x)
    q = s * s
    p = f32(2.0 / 13.0)
    p = multiply_add(p, q, f32(2.0 / 11.0))
    p = multiply_add(p, q, f32(2.0 / 9.0))
    p = multiply_add(p, q, f32(2.0 / 7.0))
    p = multiply_add(p, q, f32(2.0 / 5.0))
    p = multiply_add(p, q, f32(2.0 / 3.0))
    return multiply_add(p * q, s, f32(2.0) * s)


@kernel
def _log1p_double(x):
    # The same series to s^37.
    s = x / (2.0 + x)
    q = s * s
    p = 2.0 / 37.0
    p = multiply_add(p, q, 2.0 / 35.0)
    p = multiply_add(p, q, 2.0 / 33.0)
    p = multiply_add(p, q, 2.0 / 31.0)
    p = multiply_add(p, q, 2.0 / 29.0)
    p = multiply_add(p, q, 2.0 / 27.0)
    p = multiply_add(p, q, 2.0 / 25.0)
    p = multiply_add(p, q, 2.0 / 23.0)
    p = multiply_add(p, q, 2.0 / 21.0)
    p = multiply_add(p, q, 2.0 / 19.0)
    p = multiply_add(p, q, 2.0 / 17.0)
    p = multiply_add(p, q, 2.0 / 15.0)
    p = multiply_add(p, q, 2.0 / 13.0)
    p = multiply_add(p, q, 2.0 / 11.0)
    p = multiply_add(p, q, 2.0 / 9.0)
    p = multiply_add(p, q, 2.0 / 7.0)
    p = multiply_add(p, q, 2.0 / 5.0)
    p = multiply_add(p, q, 2.0 / 3.0)
    return multiply_add(p * q, s, 2.0 * s)


@kernel
def _log_single(x):
    # x = 2^n (1 + r) with 1 + r between the square roots of 1/2 and of 2.
    bits = _bits_of(f32(x))
    n = (bits - np.int32(0x3F3504F3)) >> np.int32(23)
    r = _float_of(np.int32(bits - np.int32(n << np.int32(23)))) - f32(1.0)
    q = r * r
    p = f32(7.0376836292e-2)
    p = multiply_add(p, r, f32(-1.1514610310e-1))
    p = multiply_add(p, r, f32(1.1676998740e-1))
    p = multiply_add(p, r, f32(-1.2420140846e-1))
    p = multiply_add(p, r, f32(1.4249322787e-1))
    p = multiply_add(p, r, f32(-1.6668057665e-1))
    p = multiply_add(p, r, f32(2.0000714765e-1))
    p = multiply_add(p, r, f32(-2.4999993993e-1))
    p = multiply_add(p, r, f32(3.3333331174e-1))
    exponent = f32(n)
    p = multiply_add(p * r, q, exponent * f32(-2.12194440e-4))
    p = multiply_add(f32(-0.5), q, p) + r
    p = multiply_add(exponent, f32(0.693359375), p)
    return p + (x - x)  # NaN stays NaN


@kernel
def _log_double(x):
    bits = _bits_of(x)
    n = (bits - np.int64(0x3FE6A09E667F3BCD)) >> np.int64(52)
    r = _float_of(np.int64(bits - np.int64(n << np.int64(52)))) - 1.0
    # log(1 + r) = r - r^2/2 + s (r^2/2 + p), s = r / (2 + r).
    s = r / (2.0 + r)
    q = s * s
    p = 1.479819860511658591e-1
    p = multiply_add(p, q, 1.531383769920937332e-1)
    p = multiply_add(p, q, 1.818357216161805012e-1)
    p = multiply_add(p, q, 2.222219843214978396e-1)
    p = multiply_add(p, q, 2.857142874366239149e-1)
    p = multiply_add(p, q, 3.999999999940941908e-1)
    p = multiply_add(p, q, 6.666666666666735130e-1)
    p = p * q
    half_square = 0.5 * r * r
    exponent = np.float64(np.int32(n))
    low = multiply_add(s, half_square + p, exponent * 1.90821492927058770002e-10)
    p = multiply_add(exponent, 6.93147180369123816490e-1, r - (half_square - low))
    return p + (x - x)  # NaN stays NaN


#: The logarithm of a positive, finite, normal number.
log = by_precision(_log_single, _log_double)


#: log(1 + x) for 0 <= x <= 1, all that the stable losses need.
log1p = by_precision(_log1p_single, _log1p_double)


@kernel
def _softplus_single(x):
    return max(x, f32(0.0)) + _log1p_single(exp(-abs(x)))


@kernel
def _softplus_double(x):
    return max(x, 0.0) + _log1p_double(exp(-abs(x)))


#: log(1 + e^x), without overflow.
softplus = by_precision(_softplus_single, _softplus_double)


@kernel
def expm1(x):
    """Return e^x - 1 for any x that is not above 88 (float32) or 709, exact near zero, too."""
    return tanh(type(x)(0.5) * x) * (exp(x) + type(x)(1))


@kernel
def _erf_single(x):
    # An odd rational function, which is 1 from the clamp on.
    clamped = min(max(x, f32(-4.0)), f32(4.0))
    s = clamped * clamped
    p = f32(-2.72614225801306e-10)
    p = multiply_add(p, s, f32(2.77068142495902e-08))
    p = multiply_add(p, s, f32(-2.10102402082508e-06))
    p = multiply_add(p, s, f32(-5.69250639462346e-05))
    p = multiply_add(p, s, f32(-7.34990630326855e-04))
    p = multiply_add(p, s, f32(-2.95459980854025e-03))
    p = multiply_add(p, s, f32(-1.60960333262415e-02))
    q = f32(-1.45660718464996e-05)
    q = multiply_add(q, s, f32(-2.13374055278905e-04))
    q = multiply_add(q, s, f32(-1.68282697438203e-03))
    q = multiply_add(q, s, f32(-7.37332916720468e-03))
    q = multiply_add(q, s, f32(-1.42647390514189e-02))
    return min(max(clamped * p / q, f32(-1.0)), f32(1.0))


@kernel
def _erf_double(x):
    magnitude = min(abs(x), 8.0)  # beyond, 1 to the last bit
    s = min(x * x, 1.0)  # used below 1; elsewhere it must not overflow
    p = 9.60497373987051638749
    p = multiply_add(p, s, 9.00260197203842689217e1)
    p = multiply_add(p, s, 2.23200534594684319226e3)
    p = multiply_add(p, s, 7.00332514112805075473e3)
    p = multiply_add(p, s, 5.55923013010394962768e4)
    q = s + 3.35617141647503099647e1
    q = multiply_add(q, s, 5.21357949780152679795e2)
    q = multiply_add(q, s, 4.59432382970980127987e3)
    q = multiply_add(q, s, 2.26290000613890934246e4)
    q = multiply_add(q, s, 4.92673942608635921086e4)
    small = x * (p / q)
    # 1 - erfc(x)
    p = 2.46196981473530512524e-10
    p = multiply_add(p, magnitude, 5.64189564831068821977e-1)
    p = multiply_add(p, magnitude, 7.46321056442269912687)
    p = multiply_add(p, magnitude, 4.86371970985681366614e1)
    p = multiply_add(p, magnitude, 1.96520832956077098242e2)
    p = multiply_add(p, magnitude, 5.26445194995477358631e2)
    p = multiply_add(p, magnitude, 9.34528527171957607540e2)
    p = multiply_add(p, magnitude, 1.02755188689515710272e3)
    p = multiply_add(p, magnitude, 5.57535335369399327526e2)
    q = magnitude + 1.32281951154744992508e1
    q = multiply_add(q, magnitude, 8.67072140885989742329e1)
    q = multiply_add(q, magnitude, 3.54937778887819891062e2)
    q = multiply_add(q, magnitude, 9.75708501743205489753e2)
    q = multiply_add(q, magnitude, 1.82390916687909736289e3)
    q = multiply_add(q, magnitude, 2.24633760818710981792e3)
    q = multiply_add(q, magnitude, 1.65666309194161350182e3)
    q = multiply_add(q, magnitude, 5.57535340817727675546e2)
    large = multiply_add(-exp(-magnitude * magnitude), p / q, 1.0)
    signed = large if x > 0.0 else -large
    return small if magnitude < 1.0 else signed


#: The error function.
erf = by_precision(_erf_single, _erf_double)
