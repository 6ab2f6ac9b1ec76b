"""The features of training in PyTorch, eager, on the CPU: from the estimators' parameters.

Written as its users would: `nn.Sequential`, `torch.optim` with fused or `foreach` kernels
where there are some, schedulers, `nn.utils` for clipping and `swa_utils` for averages.
Initial parameters and the order of samples are scikit-learn's, as in `benchmarks.torch_mlp`.
"""

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.utils import shuffle
from torch import nn, optim
from torch.nn import functional
from torch.optim import lr_scheduler, swa_utils

from benchmarks.cases import Case
from benchmarks.feature_list import Feature
from benchmarks.numpy_mlp import glorot_uniform

_ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "identity": nn.Identity,
    "logistic": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "mish": nn.Mish,
    "softplus": nn.Softplus,
    "hardswish": nn.Hardswish,
    "prelu": nn.PReLU,
}
_RATE = 1e-3
_OPTIMIZERS: dict[str, Callable[..., optim.Optimizer]] = {
    "sgd": lambda p: optim.SGD(p, lr=_RATE, momentum=0.9, nesterov=True, fused=True),
    "adam": lambda p: optim.Adam(p, lr=_RATE, fused=True),
    "adamw": lambda p: optim.AdamW(p, lr=_RATE, fused=True),
    "amsgrad": lambda p: optim.Adam(p, lr=_RATE, amsgrad=True, fused=True),
    "nadam": lambda p: optim.NAdam(p, lr=_RATE, foreach=True),
    "radam": lambda p: optim.RAdam(p, lr=_RATE, foreach=True),
    "adamax": lambda p: optim.Adamax(p, lr=_RATE, foreach=True),
    "adagrad": lambda p: optim.Adagrad(p, lr=_RATE, eps=1e-8, fused=True),
    "adadelta": lambda p: optim.Adadelta(p, lr=_RATE, rho=0.9, eps=1e-8, foreach=True),
    "rmsprop": lambda p: optim.RMSprop(p, lr=_RATE, alpha=0.9, foreach=True),
}


class _Noise(nn.Module):
    """Adds normal noise in training."""

    def __init__(self, deviation: float) -> None:
        super().__init__()
        self._deviation = deviation

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Return X with noise."""
        return X + self._deviation * torch.randn_like(X) if self.training else X


def _softplus_cosh(a: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    size = (a - y).abs()
    return (size + functional.softplus(-2.0 * size) - math.log(2.0)).mean()


def _pinball(a: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return torch.maximum(0.5 * (y - a), 0.5 * (a - y)).mean()


def _gamma(z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return (z + y * torch.exp(-z)).mean()


def _tweedie(z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return (2.0 * y * torch.exp(-0.5 * z) + 2.0 * torch.exp(0.5 * z)).mean()


def _gaussian_nll(outputs: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    mean, spread = outputs[:, :1], functional.softplus(outputs[:, 1:])
    return functional.gaussian_nll_loss(mean, y, spread)


def _focal_of_classes(Z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    log_p = functional.log_softmax(Z, 1).gather(1, y[:, None])
    return -((1.0 - log_p.exp()).square() * log_p).mean()


def _focal_of_two(z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    log_p = functional.logsigmoid(torch.where(y > 0.5, z, -z))
    return -((1.0 - log_p.exp()).square() * log_p).mean()


def _hinge_of_classes(Z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    right = Z.gather(1, y[:, None])
    others = Z.scatter(1, y[:, None], -torch.inf).amax(1, keepdim=True)
    return (1.0 + others - right).clamp(min=0.0).mean()


def _hinge_of_two(z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return (1.0 - (2.0 * y - 1.0) * z).clamp(min=0.0).mean()


_OF_REGRESSION: dict[str, Callable] = {
    "squared_error": lambda a, y: 0.5 * functional.mse_loss(a, y),
    "absolute_error": functional.l1_loss,
    "huber": functional.huber_loss,
    "log_cosh": _softplus_cosh,
    "quantile": _pinball,
    "poisson": functional.poisson_nll_loss,
    "gamma": _gamma,
    "tweedie": _tweedie,
    "gaussian_nll": _gaussian_nll,
}


class TorchFeatureFit:
    """One fit with a feature; calling it trains from the start and returns the last loss.

    Parameters
    ----------
    case : Case
        Data, network and number of epochs.
    feature : Feature
        What is added; its options are the estimators' parameters.
    options : dict
        All of them, those of the base included.
    data : tuple of ndarray
        X, y, X_val, y_val.
    """

    def __init__(
        self, case: Case, feature: Feature, options: dict[str, Any], data: tuple
    ) -> None:
        self._case, self._feature, self._options = case, feature, options
        n_outputs = case.layer_sizes()[-1]
        self._is_of_classes = n_outputs > 1 and not feature.is_regression
        self._parts = [torch.from_numpy(X).float() for X in data[::2]]
        self._targets = []
        for y in data[1::2]:
            of_y = torch.from_numpy(y)
            self._targets.append(of_y if self._is_of_classes else of_y.float().unsqueeze(1))
        self._loss_of = self._loss()

    def _loss(self) -> Callable:
        name = self._options.get("loss")
        if self._feature.is_regression:
            return _OF_REGRESSION[name or "squared_error"]
        smoothing = self._options.get("label_smoothing", 0.0)
        if self._is_of_classes:
            if name == "focal":
                return _focal_of_classes
            if name == "hinge":
                return _hinge_of_classes
            return lambda Z, y: functional.cross_entropy(Z, y, label_smoothing=smoothing)
        if name == "focal":
            return _focal_of_two
        if name == "hinge":
            return _hinge_of_two
        if smoothing:
            return lambda z, y: functional.binary_cross_entropy_with_logits(
                z, y * (1.0 - smoothing) + 0.5 * smoothing
            )
        return functional.binary_cross_entropy_with_logits

    def _network(self, draw: np.random.RandomState) -> nn.Sequential:
        options, sizes = self._options, self._case.layer_sizes()
        if self._feature.is_regression:
            sizes = [*sizes[:-1], 2 if options.get("loss") == "gaussian_nll" else 1]
        activation = options.get("activation", "relu")
        parameters = glorot_uniform(sizes, activation, draw)
        dropout = options.get("dropout", 0.0)
        of_input, of_hidden = (
            (dropout[0], 0.0) if isinstance(dropout, list) else (0.0, dropout)
        )
        modules: list[nn.Module] = []
        if of_input:
            modules.append(nn.Dropout(of_input))
        if options.get("input_noise"):
            modules.append(_Noise(options["input_noise"]))
        last = len(sizes) - 2
        for l, (W, b) in enumerate(zip(*parameters, strict=True)):
            linear = nn.utils.skip_init(nn.Linear, *W.shape)
            with torch.no_grad():
                linear.weight.copy_(torch.from_numpy(W.T))
                linear.bias.copy_(torch.from_numpy(b))
            modules.append(linear)
            if l == last:
                break
            if options.get("normalization"):
                modules.append(nn.LayerNorm(W.shape[1]))
            modules.append(_ACTIVATIONS[activation]())
            if of_hidden:
                modules.append(nn.Dropout(of_hidden))
        return nn.Sequential(*modules)

    def _optimizer(self, network: nn.Module) -> optim.Optimizer:
        options, solver = self._options, self._options.get("solver", "adam")
        weights = [p for p in network.parameters() if p.ndim == 2]
        others = [p for p in network.parameters() if p.ndim != 2]
        if options.get("weight_decay"):  # decoupled, as in AdamW
            solver = "adamw"
        optimizer = _OPTIMIZERS[solver]([{"params": weights}, {"params": others}])
        if solver == "adamw":
            optimizer.param_groups[0]["weight_decay"] = 0.01
            optimizer.param_groups[1]["weight_decay"] = 0.0
        return optimizer

    def _schedule(self, optimizer: optim.Optimizer, n_steps: int) -> Any:
        name = self._options.get("learning_rate", "constant")
        by_lambda = lr_scheduler.LambdaLR
        if self._options.get("learning_rate_warmup"):
            rise = self._options["learning_rate_warmup"] * n_steps
            return by_lambda(optimizer, lambda t: min(1.0, (t + 0.5) / rise))
        if callable(name):
            return by_lambda(optimizer, lambda t: name(min(1.0, (t + 0.5) / n_steps)))
        if name == "cosine":
            return lr_scheduler.CosineAnnealingLR(optimizer, n_steps)
        if name == "one_cycle":
            return lr_scheduler.OneCycleLR(
                optimizer, _RATE, total_steps=n_steps, cycle_momentum=False
            )
        if name == "exponential":
            return lr_scheduler.ExponentialLR(optimizer, 0.1 ** (1.0 / n_steps))
        if name == "steps":
            milestones = [int(0.5 * n_steps), int(0.75 * n_steps)]
            return lr_scheduler.MultiStepLR(optimizer, milestones)
        if name == "plateau":
            return lr_scheduler.ReduceLROnPlateau(optimizer, patience=5)
        return None

    def __call__(self) -> float:
        """Train; return the mean loss of the last epoch, with its penalties."""
        options, case = self._options, self._case
        draw = np.random.RandomState(0)
        network = self._network(draw)
        optimizer = self._optimizer(network)
        X, y = self._parts[0], self._targets[0]
        n_steps = case.epochs * -(-len(X) // case.batch_size)
        schedule = self._schedule(optimizer, n_steps)
        by_epoch = isinstance(schedule, lr_scheduler.ReduceLROnPlateau)
        average = None
        if options.get("ema_decay"):
            decay = swa_utils.get_ema_multi_avg_fn(options["ema_decay"])
            average = swa_utils.AveragedModel(network, multi_avg_fn=decay)
        elif options.get("swa_start"):
            average = swa_utils.AveragedModel(network)
        weights = [p for p in network.parameters() if p.ndim == 2]
        alpha, l1 = options["alpha"], options.get("l1", 0.0)
        order, best = np.arange(len(X)), math.inf
        total = torch.zeros(())
        for epoch in range(case.epochs):
            network.train()
            order = shuffle(order, random_state=draw)
            total = torch.zeros(())
            for rows in torch.from_numpy(order).split(case.batch_size):
                optimizer.zero_grad()
                outputs = network(X.index_select(0, rows))
                loss = self._loss_of(outputs, y.index_select(0, rows))
                if alpha:
                    squares = sum(W.square().sum() for W in weights)
                    loss = loss + 0.5 * alpha / len(rows) * squares
                if l1:
                    loss = loss + l1 / len(rows) * sum(W.abs().sum() for W in weights)
                loss.backward()
                if options.get("clip_value"):
                    nn.utils.clip_grad_value_(network.parameters(), options["clip_value"])
                if options.get("clip_norm"):
                    nn.utils.clip_grad_norm_(network.parameters(), options["clip_norm"])
                optimizer.step()
                if options.get("max_norm"):
                    with torch.no_grad():
                        for W in weights:
                            W.copy_(torch.renorm(W, 2, 0, options["max_norm"]))
                if options.get("ema_decay"):
                    average.update_parameters(network)
                if schedule is not None and not by_epoch:
                    schedule.step()
                total += len(rows) * loss.detach()
            if average is not None and not options.get("ema_decay"):
                if epoch + 1 > options["swa_start"] * case.epochs:
                    average.update_parameters(network)
            if by_epoch:
                schedule.step(float(total))
            if self._feature.validates:
                best = min(best, self._validate(network))
            if options.get("checkpoint"):
                self._save(network, optimizer, options["checkpoint"])
        return float(total) / len(X)

    def _validate(self, network: nn.Module) -> float:
        """Return the validation loss; the accuracy is counted as well."""
        network.eval()
        with torch.no_grad():
            outputs = network(self._parts[1])
            if self._is_of_classes:
                (outputs.argmax(1) == self._targets[1]).float().mean()
            else:
                ((outputs > 0.0) == self._targets[1]).float().mean()
            return float(self._loss_of(outputs, self._targets[1]))

    @staticmethod
    def _save(network: nn.Module, optimizer: optim.Optimizer, path: str) -> None:
        """Write all that training needs to go on, so that a crash leaves a whole file."""
        beside = Path(f"{path}.new")
        with beside.open("wb") as file:
            torch.save([network.state_dict(), optimizer.state_dict()], file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
