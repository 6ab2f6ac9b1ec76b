"""The same network in PyTorch, eager, on the CPU: `nn.Sequential` and fused Adam.

Written as its users would for speed: tensors converted once a fit, rows picked by
`index_select`, no number read back to Python before the end. Initial parameters, order of
samples, L2 penalty and reported loss are scikit-learn's, so that all contenders reach the
same loss.
"""

import time

import joblib
import numpy as np
import torch
from sklearn.utils import shuffle
from torch import nn
from torch.nn import functional

from benchmarks.cases import Case
from benchmarks.numpy_mlp import glorot_uniform

_ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh, "logistic": nn.Sigmoid}
_ALPHA = 1e-4  # scikit-learn's default


class TorchFit:
    """One fit of a case; calling it trains from the start and returns the last loss.

    Parameters
    ----------
    case : Case
        Data, network and hyperparameters.
    activation : {'relu', 'tanh', 'logistic'}
        Activation of the hidden layers.
    dtype : {'float32', 'float64'}
        Precision of everything.
    n_threads : int or None
        PyTorch's threads during a fit; None for the faster of one and all CPUs, tried out.

    Attributes
    ----------
    n_threads : int
        The threads that it trains on.
    """

    def __init__(self, case: Case, activation: str, dtype: str, n_threads: int | None) -> None:
        self._case, self._activation = case, activation
        self._dtype = getattr(torch, dtype)
        self._X, self._y = case.data()
        self.n_threads = self._faster_thread_count() if n_threads is None else n_threads

    def __call__(self) -> float:
        """Train, with PyTorch's threads set for the time of the fit only."""
        return self._fit(self._case.epochs, self.n_threads)

    def _faster_thread_count(self) -> int:
        counts = sorted({1, joblib.cpu_count()})
        epochs = max(1, self._case.epochs // 8)
        seconds = {}
        for n_threads in counts:
            self._fit(epochs, n_threads)
            tries = []
            for _ in range(2):
                start = time.perf_counter()
                self._fit(epochs, n_threads)
                tries.append(time.perf_counter() - start)
            seconds[n_threads] = min(tries)
        return min(counts, key=seconds.__getitem__)

    def _fit(self, epochs: int, n_threads: int) -> float:
        before = torch.get_num_threads()
        torch.set_num_threads(n_threads)
        try:
            return self._train(epochs)
        finally:
            torch.set_num_threads(before)

    def _network(self, draw: np.random.RandomState) -> tuple[nn.Sequential, list[nn.Linear]]:
        parameters = glorot_uniform(self._case.layer_sizes(), self._activation, draw)
        modules: list[nn.Module] = []
        for W, b in zip(*parameters, strict=True):
            # Without its own initial values, which would be thrown away.
            linear = nn.utils.skip_init(nn.Linear, *W.shape, dtype=self._dtype)
            with torch.no_grad():
                linear.weight.copy_(torch.from_numpy(W.T))
                linear.bias.copy_(torch.from_numpy(b))
            modules += [linear, _ACTIVATIONS[self._activation]()]
        return nn.Sequential(*modules[:-1]), modules[::2]

    def _train(self, epochs: int) -> float:
        draw = np.random.RandomState(0)
        network, layers = self._network(draw)
        X = torch.from_numpy(self._X).to(self._dtype)
        if self._case.layer_sizes()[-1] > 1:
            y, loss_of = torch.from_numpy(self._y), functional.cross_entropy
        else:
            y = torch.from_numpy(self._y).to(self._dtype).unsqueeze(1)
            loss_of = functional.binary_cross_entropy_with_logits
        weights = [layer.weight for layer in layers]
        groups = [{"params": weights}, {"params": [layer.bias for layer in layers]}]
        optimizer = torch.optim.Adam(groups, lr=1e-3, fused=True)
        order, total = np.arange(len(X)), torch.zeros(())
        for epoch in range(epochs):
            order = shuffle(order, random_state=draw)
            for rows in torch.from_numpy(order).split(self._case.batch_size):
                # scikit-learn divides the penalty by the rows of the batch.
                optimizer.param_groups[0]["weight_decay"] = _ALPHA / len(rows)
                optimizer.zero_grad()
                loss = loss_of(network(X.index_select(0, rows)), y.index_select(0, rows))
                loss.backward()
                if epoch == epochs - 1:  # the loss before each step of the last epoch
                    with torch.no_grad():
                        squares = sum(W.square().sum() for W in weights)
                    total = total + len(rows) * loss.detach() + 0.5 * _ALPHA * squares
                optimizer.step()
        return float(total) / len(X)
