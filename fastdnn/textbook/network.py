"""`DeepNeuralNetwork`: the network as the textbooks write it, one explicit step at a time."""

from typing import Any

import numpy as np
from sklearn.metrics import accuracy_score, r2_score

from fastdnn.data.plain_arrays import has_engine_form
from fastdnn.data.samples import AS_THEY_LIE, Samples
from fastdnn.ops import losses
from fastdnn.planning.plan import plan_training
from fastdnn.prediction.predictor import FEW_NUMBERS
from fastdnn.textbook import step_inputs as inputs
from fastdnn.textbook.steps import Steps
from fastdnn.training.epochs import EpochRunner


class DeepNeuralNetwork(Steps):
    """A multi-layer perceptron with every step of its training in the open.

    Samples are rows. Layer ``l`` computes ``A_l = g(A_{l-1} @ W_l + b_l)``;
    its parameters are the attributes ``W1``, ``b1``, ``W2``, ..., which can be read and set.

    Parameters
    ----------
    layer_sizes : sequence of int
        Units of every layer: inputs, hidden layers, outputs.
    activation : str, fastdnn.Activation or sequence of these, default='relu'
        Activation of the hidden layers, one for all or one for each: 'relu', 'leaky_relu',
        'prelu', 'elu', 'selu', 'gelu', 'silu', 'mish', 'softplus', 'hardswish', 'tanh',
        'sigmoid', 'softmax', 'exp', 'identity', or your own.
    output_activation : str or fastdnn.Activation, default='sigmoid'
        Activation of the output layer.
    loss : str or fastdnn.Loss, default='log_loss'
        Cost of one sample, summed over its outputs, with `loss_parameter` in brackets.

        - With 'sigmoid', of each output, or with 'softmax', of the classes: 'log_loss', the
          cross-entropy; 'smoothed_log_loss', that of targets of which a share (0.1) is
          spread over all classes; 'focal', which makes less of what is nearly right (gamma,
          2).
        - With 'identity': 'hinge' of each output, which is positive for class 1;
          'hinge_of_classes', of which the right one has the largest output.
        - With 'exp', half the deviance of targets that are not negative: 'poisson', 'gamma'
          (of positive ones), 'tweedie' (power, 1.5).
        - With 'ascending', whose outputs are quantiles of one target that do not cross:
          'quantiles' (their levels, evenly spaced).
        - With 'mean_and_variance', whose outputs are means and then their variances:
          'gaussian_nll', the negative log-likelihood of a normal distribution.
        - With any: 'squared_error', which is ``sum((a - y)**2)``, 'half_squared_error', half
          of it as in the estimators and scikit-learn, 'absolute_error', 'huber' (delta, 1),
          'log_cosh', 'quantile' (level, 1/2), or your own.
    dtype : {'float64', 'float32'}, default='float64'
        Precision of parameters and computation.
    loss_parameter : float, sequence of float or None, default=None
        The number in brackets; None for the one that is said there.
    normalization : 'layer', None, or a sequence of these, default=None
        Whether ``Z_l`` is normalised over the units of each sample, multiplied by the
        parameter ``gain1``, ... and added to ``shift1``, ..., before the activation of all
        hidden layers or of each. The slope of 'prelu' is the parameter ``slope1``, ...

    Raises
    ------
    ValueError
        If one of them has a value that it cannot have. Every method checks all it is given
        before it changes anything, and after an exception the parameters are as before
        the call, or those of a whole number of passes where `gradient_descent` says so.

    Notes
    -----
    `layer_sizes`, `activations`, `normalizations`, `loss`, `loss_parameter` and `dtype` can
    be read, not set: a parameter can be set to numbers of its shape only. Copies, pickled
    ones too, have parameters of their own.

    Examples
    --------
    One step of training on the exclusive or:

    >>> import numpy as np
    >>> from fastdnn import DeepNeuralNetwork
    >>> X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    >>> Y = np.array([0, 1, 1, 0])
    >>> network = DeepNeuralNetwork([2, 8, 1], activation="tanh")
    >>> network.initialize_parameters("xavier", random_state=1)
    >>> AL, caches = network.forward(X)
    >>> before = network.cost(AL, Y)
    >>> grads = network.backward(AL, Y, caches)
    >>> network.update_parameters(grads, learning_rate=0.5)
    >>> network.cost(network.forward(X)[0], Y) < before
    True

    Many of them:

    >>> costs = network.gradient_descent(X, Y, learning_rate=0.5, n_iterations=2000)
    >>> network.predict(X)
    array([0, 1, 1, 0])
    """

    def gradient_descent(
        self,
        X: Any,
        Y: Any,
        *,
        learning_rate: float,
        n_iterations: int,
        batch_size: int | None = None,
        l2: float = 0.0,
        record_every: int = 1,
        n_threads: int | None = None,
    ) -> list[float]:
        """Train by gradient descent in the compiled engine.

        The same numbers as the explicit steps, up to rounding, in a fraction of the time.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_inputs)
            Samples, visited in the order given.
        Y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        learning_rate : float
            Step size, above 0.
        n_iterations : int
            Passes over the samples.
        batch_size : int, default=None
            Samples a step; all of them if None.
        l2 : float, default=0
            lambda of the L2 penalty.
        record_every : int, default=1
            Passes from one recorded cost to the next.
        n_threads : int or None, default=None
            Threads offered, as in `DNNClassifier`. The result does not depend on it.

        Returns
        -------
        list of float
            Cost of the passes 0, `record_every`, ...: the mean over the samples of the
            cost of their batch before its step.

        Raises
        ------
        ValueError
            If an argument has a value that it cannot have, or training diverges: a parameter
            or a cost overflows. The parameters are then as before the call.
        KeyboardInterrupt
            On Ctrl-C. The parameters are then those of the passes so far, a whole number of
            them; so with any exception that another thread or a signal raises here.
        """
        X = inputs.as_samples(X, self.layer_sizes[0], self.dtype)
        samples = Samples(X, inputs.as_targets(Y, X, self._network))
        learning_rate = inputs.as_positive("learning_rate", learning_rate, self.dtype)
        l2 = inputs.as_not_negative("l2", l2, self.dtype)
        n_iterations = inputs.as_count("n_iterations", n_iterations)
        batch_size = inputs.as_count("batch_size", batch_size, or_none=True)
        record_every = inputs.as_count("record_every", record_every)
        n_threads = inputs.as_count("n_threads", n_threads, or_none=True)
        trained = self._parameters.astype(self.dtype)
        plan = plan_training(
            trained,
            self._network,
            "sgd",
            batch_size=min(batch_size or len(X), len(X)),
            samples=samples,
            gather=False,
            n_threads=n_threads,
        )
        plan.set_numbers(learning_rate=learning_rate)
        plan.table["alpha"] = l2
        theta, before = self._parameters.theta, self._parameters.theta.copy()
        costs: list[float] = []
        is_finite = True
        with EpochRunner(plan, samples, AS_THEY_LIE) as runner:
            while is_finite and len(costs) < n_iterations:
                new = runner.run(min(runner.epochs_at_once, n_iterations - len(costs)))
                costs += new
                is_finite = bool(np.isfinite(trained.theta).all() and np.isfinite(new).all())
                if is_finite:  # whole passes, whatever interrupts the next
                    np.copyto(theta, trained.theta)
        if not is_finite:
            np.copyto(theta, before)
            raise ValueError(
                "Training by gradient_descent diverged: it produced non-finite parameter "
                f"weights or costs within {len(costs)} passes at learning_rate="
                f"{learning_rate:g} in {self.dtype}. The parameters are as before the call. "
                "Lower learning_rate, scale X (for example with StandardScaler) and the "
                "targets of a regression, or use dtype='float64'."
            )
        return costs[::record_every]

    # -- prediction ---------------------------------------------------------------------

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the output of the last layer.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_inputs)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples, n_outputs)
            Probabilities with a sigmoid or softmax output, otherwise predicted values, or
            with a hinge loss scores of the classes.

        Raises
        ------
        ValueError
            If X has another number of columns than the network has inputs, or holds NaN
            or infinity; if the outputs would.
        """
        parameters, outputs = self._parameters, None
        dtype, n_inputs = parameters.theta.dtype, parameters.layer_sizes[0]
        if has_engine_form(X, dtype, n_inputs) and X.size <= FEW_NUMBERS:
            outputs = self._predictor.predict_few(X)
        if outputs is None:
            outputs = self._predictor(Samples(inputs.as_samples(X, n_inputs, dtype)))
        if not np.isfinite(outputs).all():
            self._refuse_overflow("the output")
        return outputs

    def predict(self, X: Any) -> np.ndarray:
        """Return classes with a sigmoid or softmax output or a hinge loss, otherwise values.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_inputs)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs)
            One number a sample where there is one output, or one class of several.

        Raises
        ------
        ValueError
            As `predict_proba`.
        """
        AL = self.predict_proba(X)
        if self._takes_one_class:
            return AL.argmax(axis=1)
        if self._takes_classes:
            AL = (AL > (0.5 if self.activations[-1] == "sigmoid" else 0.0)).astype(np.int64)
        return AL.ravel() if AL.shape[1] == 1 else AL

    def score(self, X: Any, Y: Any) -> float:
        """Return the accuracy where `predict` returns classes, otherwise R2.

        Of means and variances that of the means.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_inputs)
            Samples.
        Y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.

        Returns
        -------
        float
            At most 1.

        Raises
        ------
        ValueError
            As `predict_proba`, or if Y has another shape than the predictions or is not
            finite; where they are classes also if it holds none. Or if the loss is
            'quantiles', several predictions of one target.
        """
        predicted = self.predict(X)
        if self.loss == "quantiles":
            raise ValueError(
                "Several quantiles of a target have no R2. Use d2_pinball_score of "
                "scikit-learn for each column of `predict`."
            )
        if self.loss == "gaussian_nll":
            predicted = predicted[:, : predicted.shape[1] // 2]
        n_outputs, is_one_class = self.layer_sizes[-1], self._takes_one_class
        Y = inputs.as_columns(Y, predicted, np.dtype(np.float64))
        if is_one_class and Y.shape[1] == n_outputs > 1:
            Y = Y.argmax(axis=1)
        if Y.size != predicted.size:
            raise ValueError(
                f"Y has {Y.shape[1]} columns, but the network has {n_outputs} outputs."
            )
        Y = Y.reshape(predicted.shape)
        if not self._takes_classes:
            return float(r2_score(Y, predicted))
        n_classes = n_outputs if is_one_class else 2
        if not np.isin(Y, np.arange(n_classes)).all():
            raise ValueError(
                f"Y must hold the classes 0 to {n_classes - 1}, got values from {Y.min():g} "
                f"to {Y.max():g}."
            )
        return float(accuracy_score(Y.astype(np.int64), predicted))

    @property
    def _takes_one_class(self) -> bool:
        """Whether the class of a sample is that of the largest output."""
        row, output = losses.row_of(self.loss), self.activations[-1]
        is_score = row.decides_by_logits and row.positions_with == output
        return output == "softmax" or is_score

    @property
    def _takes_classes(self) -> bool:
        """Whether predictions are classes: of a sample, or of each output 0 or 1."""
        is_probability = self.activations[-1] in ("sigmoid", "softmax")
        return is_probability or losses.row_of(self.loss).decides_by_logits
