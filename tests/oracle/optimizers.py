"""Each optimiser's step and what a step does besides, as their papers or PyTorch write them.

A step is ``step(p, g, memory, t, n)``: it changes the parameters `p` in place by their
gradient `g`, in step `t`, from 1; `memory` is a dict of its own, `n` its numbers by name.
"""

from collections import defaultdict

import numpy as np


def _sgd(p, g, memory, t, n):
    p -= n["learning_rate"] * g


def _momentum(p, g, memory, t, n):
    v = memory["v"] = n["momentum"] * memory["v"] - n["learning_rate"] * g
    p += v


def _nesterov(p, g, memory, t, n):
    v = memory["v"] = n["momentum"] * memory["v"] - n["learning_rate"] * g
    p += n["momentum"] * v - n["learning_rate"] * g


def _moments(g, memory, n):
    m = memory["m"] = n["beta_1"] * memory["m"] + (1 - n["beta_1"]) * g
    v = memory["v"] = n["beta_2"] * memory["v"] + (1 - n["beta_2"]) * g**2
    return m, v


def _adam(p, g, memory, t, n):
    m, v = _moments(g, memory, n)
    rate = n["learning_rate"] * np.sqrt(1 - n["beta_2"] ** t) / (1 - n["beta_1"] ** t)
    p -= rate * m / (np.sqrt(v) + n["epsilon"])


def _adamw(p, g, memory, t, n):
    m, v = _moments(g, memory, n)
    m, v = m / (1 - n["beta_1"] ** t), v / (1 - n["beta_2"] ** t)
    p -= n["learning_rate"] * m / (np.sqrt(v) + n["epsilon"])


def _amsgrad(p, g, memory, t, n):
    m, v = _moments(g, memory, n)
    largest = memory["largest"] = np.maximum(memory["largest"], v)
    m, largest = m / (1 - n["beta_1"] ** t), largest / (1 - n["beta_2"] ** t)
    p -= n["learning_rate"] * m / (np.sqrt(largest) + n["epsilon"])


def _nadam(p, g, memory, t, n):
    m, v = _moments(g, memory, n)
    now, after = (n["beta_1"] * (1 - 0.5 * 0.96 ** (0.004 * i)) for i in (t, t + 1))
    product = memory["product"] = now * (memory["product"] if t > 1 else 1.0)
    mean = (1 - now) * g / (1 - product) + after * m / (1 - product * after)
    p -= n["learning_rate"] * mean / (np.sqrt(v / (1 - n["beta_2"] ** t)) + n["epsilon"])


def _radam(p, g, memory, t, n):
    m, v = _moments(g, memory, n)
    m, lack = m / (1 - n["beta_1"] ** t), 1 - n["beta_2"] ** t
    longest = 2 / (1 - n["beta_2"]) - 1
    length = longest - 2 * t * n["beta_2"] ** t / lack
    if length <= 5:
        p -= n["learning_rate"] * m
        return
    rectified = (length - 4) * (length - 2) * longest
    rectified /= (longest - 4) * (longest - 2) * length
    p -= n["learning_rate"] * m * np.sqrt(rectified * lack) / (np.sqrt(v) + n["epsilon"])


def _adamax(p, g, memory, t, n):
    m = memory["m"] = n["beta_1"] * memory["m"] + (1 - n["beta_1"]) * g
    u = memory["u"] = np.maximum(n["beta_2"] * memory["u"], np.abs(g) + n["epsilon"])
    p -= n["learning_rate"] / (1 - n["beta_1"] ** t) * m / u


def _adagrad(p, g, memory, t, n):
    total = memory["total"] = memory["total"] + g**2
    p -= n["learning_rate"] * g / (np.sqrt(total) + n["epsilon"])


def _adadelta(p, g, memory, t, n):
    v = memory["v"] = n["rho"] * memory["v"] + (1 - n["rho"]) * g**2
    step = np.sqrt(memory["steps"] + n["epsilon"]) / np.sqrt(v + n["epsilon"]) * g
    memory["steps"] = n["rho"] * memory["steps"] + (1 - n["rho"]) * step**2
    p -= n["learning_rate"] * step


def _rmsprop(p, g, memory, t, n):
    v = memory["v"] = n["rho"] * memory["v"] + (1 - n["rho"]) * g**2
    p -= n["learning_rate"] * g / (np.sqrt(v) + n["epsilon"])


def _lion(p, g, memory, t, n):
    direction = np.sign(n["beta_1"] * memory["m"] + (1 - n["beta_1"]) * g)
    memory["m"] = n["beta_2"] * memory["m"] + (1 - n["beta_2"]) * g
    p -= n["learning_rate"] * direction


STEPS = {
    "sgd": _sgd, "momentum": _momentum, "nesterov": _nesterov, "adam": _adam,
    "adamw": _adamw, "amsgrad": _amsgrad, "nadam": _nadam, "radam": _radam,
    "adamax": _adamax, "adagrad": _adagrad, "adadelta": _adadelta, "rmsprop": _rmsprop,
    "lion": _lion,
}  # fmt: skip
_NUMBERS = {
    "learning_rate": 0.01, "momentum": 0.9, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8,
    "rho": 0.9,
}  # fmt: skip


class Stepper:
    """Steps matrices of weights and vectors of biases, each in place.

    Parameters
    ----------
    solver : str
        A name in `STEPS`.
    weight_decay : float
        Weights are multiplied by 1 minus the learning rate times it before each step.
    clip_value, clip_norm, max_norm, ema_decay : float or None
        What a step does besides, as the estimators' parameters of these names.
    rates : sequence of float or None
        The learning rate of each step; None for the one among the numbers.
    **numbers : float
        The solver's.
    """

    def __init__(
        self, solver, *, weight_decay=0.0, clip_value=None, clip_norm=None, max_norm=None,
        ema_decay=None, rates=None, **numbers,
    ):  # fmt: skip
        self.numbers, self.solver, self.weight_decay = _NUMBERS | numbers, solver, weight_decay
        self.clip_value, self.clip_norm, self.max_norm = clip_value, clip_norm, max_norm
        self.ema_decay, self.rates = ema_decay, rates
        self.t, self.memories, self.averages = 0, None, None

    def step(self, weights, biases, gradients):
        """Take one step against the gradients of the weights, then the biases."""
        parameters = [*weights, *biases]
        if self.memories is None:
            self.memories = [defaultdict(float) for _ in parameters]
            self.averages = [p.copy() for p in parameters]
        if self.rates is not None:
            self.numbers["learning_rate"] = self.rates[self.t]
        self.t += 1
        if self.clip_value is not None:
            gradients = [np.clip(g, -self.clip_value, self.clip_value) for g in gradients]
        if self.clip_norm is not None:
            norm = np.sqrt(sum((g**2).sum() for g in gradients))
            factor = min(1.0, self.clip_norm / (norm + 1e-6))
            gradients = [factor * g for g in gradients]
        for W in weights:
            W *= 1.0 - self.numbers["learning_rate"] * self.weight_decay
        for p, g, memory in zip(parameters, gradients, self.memories, strict=True):
            STEPS[self.solver](p, g, memory, self.t, self.numbers)
        if self.max_norm is not None:
            for W in weights:
                norms = np.sqrt((W**2).sum(axis=0))
                W *= np.where(norms > self.max_norm, self.max_norm / norms, 1.0)
        if self.ema_decay is not None:
            for average, p in zip(self.averages, parameters, strict=True):
                average += (1.0 - self.ema_decay) * (p - average)
