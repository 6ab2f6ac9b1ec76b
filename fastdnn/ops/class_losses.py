"""Losses of classes, canonical with their output activation: from Z to the delta in one step.

Kernels take ``(Z, Y, w, cap, parameters, D, sums, losses)``, see `fastdnn.ops.losses`. Z is
scratch afterwards.
"""

import numpy as np

from fastdnn.compiler.jit import loop_kernel
from fastdnn.machine.arithmetic import multiply_add
from fastdnn.machine.views import vector
from fastdnn.ops import elementary
from fastdnn.ops.loss_rows import add_column_sums, capped, row_weight
from fastdnn.ops.softmax_rows import multiply_by, subtract_largest
from fastdnn.products.sums import sum_of


@loop_kernel
def _target(Y, i, j, n_classes):
    """Return the target of class `j` in row `i`, of positions or of probabilities."""
    real = Y.dtype.type
    if Y.shape[1] == 1 and n_classes > 1:
        return real(1) if int(Y[i, 0]) == j else real(0)
    return Y[i, j]


def sigmoid_log_loss(Z, Y, w, cap, parameters, D, sums, losses):
    """Binary cross-entropy of each output, ``softplus(z) - y z``; writes D, adds to sums."""
    zero, one, highest = Z.dtype.type(0), Z.dtype.type(1), Z.dtype.type(cap)
    z, y, d = vector(Z, 0, Z.size), vector(Y, 0, Y.size), vector(D, 0, D.size)
    n_rows, n_outputs = Z.shape
    for i in range(z.size):  # all elements in one loop: a row is short
        e = elementary.exp(-abs(z[i]))
        probability = (one if z[i] >= zero else e) / (one + e)
        element = multiply_add(-z[i], y[i], max(z[i], zero)) + elementary.log1p(e)
        z[i] = capped(element, highest)
        d[i] = probability - y[i]
    for i in range(n_rows):
        losses[i] = sum_of(vector(Z, i * n_outputs, n_outputs)) if n_outputs > 1 else z[i]
    if w.size > 0:
        for i in range(n_rows):
            losses[i] *= w[i]
            for j in range(n_outputs):
                D[i, j] *= w[i]
    add_column_sums(D, sums)


def softmax_log_loss(Z, Y, w, cap, parameters, D, sums, losses):
    """Categorical cross-entropy; writes D, adds to sums.

    `Y` holds one class position a row, or a matrix of target probabilities like `Z`.
    """
    n_rows, n_classes = Z.shape
    z, d = vector(Z, 0, Z.size), vector(D, 0, D.size)
    for i in range(n_rows):
        subtract_largest(vector(Z, i * n_classes, n_classes))
    for i in range(z.size):  # all rows at once: one row is shorter than a vector
        d[i] = elementary.exp(z[i])
    if Y.shape[1] == 1 and n_classes > 1:
        for i in range(n_rows):
            weight, target = row_weight(w, i), i * n_classes + int(Y[i, 0])
            row = vector(D, i * n_classes, n_classes)
            target_z, total = z[target], sum_of(row)
            multiply_by(weight / total, row)
            d[target] -= weight
            # The logarithm is left for a loop of whole vectors. Row i of Z is no longer
            # needed, and it does not begin before i.
            losses[i], z[i] = total, target_z
        highest = Z.dtype.type(cap)
        for i in range(n_rows):
            row_loss = elementary.log(losses[i]) - z[i]
            losses[i] = capped(row_loss, highest) * row_weight(w, i)
    else:
        for i in range(n_rows):
            weight = row_weight(w, i)
            row_loss, target_sum = Z.dtype.type(0), Z.dtype.type(0)
            for j in range(n_classes):
                row_loss = multiply_add(-Y[i, j], Z[i, j], row_loss)
                target_sum += Y[i, j]
            row = vector(D, i * n_classes, n_classes)
            total = sum_of(row)
            row_loss = multiply_add(target_sum, elementary.log(total), row_loss)
            losses[i] = capped(row_loss, Z.dtype.type(cap)) * weight
            multiply_by(weight * target_sum / total, row)
            for j in range(n_classes):
                row[j] = multiply_add(-weight, Y[i, j], row[j])
    add_column_sums(D, sums)


def sigmoid_smoothed_log_loss(Z, Y, w, cap, parameters, D, sums, losses):
    """Binary cross-entropy of softened targets, ``y (1 - smoothing) + smoothing / 2``.

    Szegedy et al. (2016), as Keras has it for labels.
    """
    real = Z.dtype.type
    zero, one = real(0), real(1)
    smoothing = parameters[0]
    half, keep = real(0.5 * smoothing), one - real(smoothing)
    for i in range(Z.shape[0]):
        weight, row_loss = row_weight(w, i), zero
        for j in range(Z.shape[1]):
            z, target = Z[i, j], multiply_add(keep, Y[i, j], half)
            e = elementary.exp(-abs(z))
            probability = (one if z >= zero else e) / (one + e)
            element = multiply_add(-z, target, max(z, zero)) + elementary.log1p(e)
            row_loss += capped(element, real(cap))
            D[i, j] = (probability - target) * weight
        losses[i] = row_loss * weight
    add_column_sums(D, sums)


def softmax_smoothed_log_loss(Z, Y, w, cap, parameters, D, sums, losses):
    """Cross-entropy of softened targets: each class gets an equal share of `smoothing`.

    Szegedy et al. (2016), as PyTorch and Keras have it.
    """
    n_rows, n_classes = Z.shape
    real = Z.dtype.type
    smoothing = parameters[0]
    share, keep = real(smoothing / n_classes), real(1) - real(smoothing)
    for i in range(n_rows):
        z, d = vector(Z, i * n_classes, n_classes), vector(D, i * n_classes, n_classes)
        weight, row_loss, target_sum = row_weight(w, i), real(0), real(0)
        subtract_largest(z)
        for j in range(n_classes):
            d[j] = elementary.exp(z[j])
            target = multiply_add(keep, _target(Y, i, j, n_classes), share)
            row_loss = multiply_add(-target, z[j], row_loss)
            target_sum += target
        total = sum_of(d)
        row_loss = multiply_add(target_sum, elementary.log(total), row_loss)
        losses[i] = capped(row_loss, real(cap)) * weight
        multiply_by(weight * target_sum / total, d)
        for j in range(n_classes):
            target = multiply_add(keep, _target(Y, i, j, n_classes), share)
            d[j] = multiply_add(-weight, target, d[j])
    add_column_sums(D, sums)


@loop_kernel
def _focal(log_p, rest, gamma):
    """Return ``-(1 - p)^gamma log(p)`` and its derivative by log(p), with `rest` = 1 - p."""
    real = type(log_p)
    positive = max(rest, real(1e-30))
    power = elementary.exp(gamma * elementary.log(positive)) if gamma > real(0) else real(1)
    # d/dlog(p) of (1-p)^g is -g p (1-p)^(g-1).
    slope = gamma * (real(1) - rest) * power / positive * log_p - power
    return -power * log_p, slope


def sigmoid_focal(Z, Y, w, cap, parameters, D, sums, losses):
    """Focal loss of each output (Lin et al., 2017): cross-entropy times ``(1 - p)^gamma``.

    p is the probability of what the target says; one between 0 and 1 is a mixture of both.
    """
    real = Z.dtype.type
    zero, one, gamma = real(0), real(1), real(parameters[0])
    for i in range(Z.shape[0]):
        weight, row_loss = row_weight(w, i), zero
        for j in range(Z.shape[1]):
            z, y = Z[i, j], Y[i, j]
            e = elementary.exp(-abs(z))
            tail = elementary.log1p(e)
            larger, smaller = one / (one + e), e / (one + e)
            p, q = (larger, smaller) if z >= zero else (smaller, larger)
            of_one, slope_of_one = _focal(min(z, zero) - tail, q, gamma)
            of_zero, slope_of_zero = _focal(min(-z, zero) - tail, p, gamma)
            row_loss += capped(y * of_one + (one - y) * of_zero, real(cap))
            # d log(p) / dz = q, d log(q) / dz = -p.
            D[i, j] = weight * (y * slope_of_one * q - (one - y) * slope_of_zero * p)
        losses[i] = row_loss * weight
    add_column_sums(D, sums)


def softmax_focal(Z, Y, w, cap, parameters, D, sums, losses):
    """Focal loss of classes (Lin et al., 2017): ``-sum y_k (1 - p_k)^gamma log(p_k)``."""
    n_rows, n_classes = Z.shape
    real = Z.dtype.type
    gamma = real(parameters[0])
    for i in range(n_rows):
        z, d = vector(Z, i * n_classes, n_classes), vector(D, i * n_classes, n_classes)
        weight, row_loss, total_slope = row_weight(w, i), real(0), real(0)
        subtract_largest(z)
        for j in range(n_classes):
            d[j] = elementary.exp(z[j])
        total = sum_of(d)
        log_total, factor = elementary.log(total), real(1) / total
        for j in range(n_classes):
            p, target = d[j] * factor, _target(Y, i, j, n_classes)
            loss, slope = _focal(z[j] - log_total, real(1) - p, gamma)
            row_loss = multiply_add(target, loss, row_loss)
            total_slope = multiply_add(target, slope, total_slope)
            z[j] = target * slope
        losses[i] = capped(row_loss, real(cap)) * weight
        for j in range(n_classes):
            d[j] = weight * multiply_add(-d[j] * factor, total_slope, z[j])
    add_column_sums(D, sums)


def hinge(Z, Y, w, cap, parameters, D, sums, losses):
    """Hinge loss of each output, ``max(0, 1 - s z)`` with s = 2 y - 1.

    Cortes and Vapnik (1995), as scikit-learn's linear classifiers have it.
    """
    real = Z.dtype.type
    for i in range(Z.shape[0]):
        weight, row_loss = row_weight(w, i), real(0)
        for j in range(Z.shape[1]):
            side = real(2) * Y[i, j] - real(1)
            margin = real(1) - side * Z[i, j]
            row_loss += max(margin, real(0))
            D[i, j] = -weight * side if margin > real(0) else margin * real(0)
        losses[i] = row_loss * weight
    add_column_sums(D, sums)


def hinge_of_classes(Z, Y, w, cap, parameters, D, sums, losses):
    """Hinge loss of classes, ``sum y_k max(0, 1 + max_j z_j - z_k)`` with j other than k.

    Crammer and Singer (2001).
    """
    n_classes = Z.shape[1]
    real = Z.dtype.type
    zero, one = real(0), real(1)
    for i in range(Z.shape[0]):
        weight, row_loss = row_weight(w, i), zero
        best, second = 0, 0
        best_z = second_z = real(-np.inf)  # a single class has no other, and no loss
        for j in range(n_classes):
            nothing = Z[i, j] * zero
            D[i, j] = nothing
            row_loss += nothing  # NaN shows, whichever class has it
            if Z[i, j] > best_z:
                second, second_z, best, best_z = best, best_z, j, Z[i, j]
            elif Z[i, j] > second_z:
                second, second_z = j, Z[i, j]
        for j in range(n_classes):
            target = _target(Y, i, j, n_classes)
            other, other_z = (second, second_z) if j == best else (best, best_z)
            margin = one + other_z - Z[i, j]
            if target > zero and margin > zero:
                row_loss = multiply_add(target, margin, row_loss)
                D[i, other] += weight * target
                D[i, j] -= weight * target
        losses[i] = row_loss * weight
    add_column_sums(D, sums)
