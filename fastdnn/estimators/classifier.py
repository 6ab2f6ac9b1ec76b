"""`DNNClassifier`: a neural network for classification as a scikit-learn estimator."""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal, overload

import numpy as np
from sklearn.neural_network import MLPClassifier

from fastdnn.estimators import interchange
from fastdnn.estimators.base import BaseDNN
from fastdnn.estimators.class_predictions import ClassPredictions
from fastdnn.estimators.validation_sets import Given
from fastdnn.models.decorators import available_if, validating
from fastdnn.models.hyperparameters import constraints_of, documented, hyperparameters_of
from fastdnn.models.parameter_types import (
    Activations,
    Auto,
    ClassifierLoss,
    ClassWeight,
    Float,
    Floats,
    HiddenLayers,
    Int,
    Path,
    Precision,
    RandomState,
    Schedule,
    Scoring,
    Solver,
    Splits,
)
from fastdnn.training.stream import Stream


@documented
class DNNClassifier(ClassPredictions):
    """Multi-layer perceptron classifier with a compiled training engine.

    A drop-in for :class:`sklearn.neural_network.MLPClassifier`: parameters, defaults and
    fitted attributes have the same names and meanings.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels.
    coefs_ : list of ndarray of shape (n_in, n_out)
        Weights of each layer.
    intercepts_ : list of ndarray of shape (n_out,)
        Biases of each layer.
    loss_curve_ : list of float
        Mean loss of each epoch.
    loss_ : float
        Loss of the last epoch.
    best_loss_ : float or None
        The lowest loss; None with early stopping.
    validation_scores_ : list of float or None
        Score of the validation samples after each epoch, where there were some: accuracy, or
        what `scoring` asks for first.
    best_validation_score_ : float or None
        The highest of them, with early stopping.
    validation_loss_curve_ : list of float or None
        Mean loss of the validation samples after each epoch, without penalties.
    history_ : dict of str to list
        A column for each number recorded of epochs, all equally long: epoch, loss,
        learning_rate of the last step, seconds, n_samples seen; and of validation
        validation_loss, validation_score, and each of several scores. NaN where there was
        none. ``pandas.DataFrame(model.history_)`` is a table of it.
    n_iter_ : int
        Epochs run.
    t_ : int
        Samples seen.
    estimators_ : list of DNNClassifier
        The members, each fitted with one network, if there are several; of `coefs_` and of
        what training has recorded they have their own, and ``n_iter_`` and ``loss_`` are the
        largest and the mean.
    oof_prediction_ : ndarray of shape (n_samples, n_classes)
        With ``bagging="folds"``: probabilities by the member that has left a sample out;
        scores of ``loss="hinge"``.
    oof_score_ : float
        The score of that, as of `score`.
    n_features_in_ : int
        Input features.
    n_layers_ : int
        Layers, with input and output.
    n_outputs_ : int
        Outputs.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where X had string names.
    out_activation_ : str
        Activation of the output layer: 'softmax', 'logistic', or 'identity' of
        ``loss='hinge'``.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from fastdnn import DNNClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> network = DNNClassifier((8,), learning_rate_init=0.05, max_iter=60, random_state=0)
    >>> model = make_pipeline(StandardScaler(), network).fit(X, y)
    >>> bool(model.score(X, y) > 0.9)
    True
    """

    _hyperparameters = hyperparameters_of("DNNClassifier")
    _parameter_constraints: ClassVar[dict] = constraints_of("DNNClassifier")
    _y_is_numeric = False

    def __init__(
        self,
        hidden_layer_sizes: HiddenLayers = (100,),
        activation: Activations = "relu",
        *,
        loss: ClassifierLoss = "log_loss",
        label_smoothing: Float = 0.0,
        focal_gamma: Float = 2.0,
        class_weight: ClassWeight = None,
        normalization: Literal["layer"] | None = None,
        dropout: Floats = 0.0,
        input_noise: Float = 0.0,
        solver: Solver = "adam",
        alpha: Float = 1e-4,
        l1: Float = 0.0,
        weight_decay: Float | None = None,
        batch_size: Int | Auto = "auto",
        learning_rate: Schedule = "constant",
        learning_rate_init: Float = 0.001,
        learning_rate_warmup: Float = 0.0,
        learning_rate_factor: Float = 0.1,
        learning_rate_steps: Sequence[Float] | np.ndarray = (0.5, 0.75),
        learning_rate_patience: Int = 5,
        power_t: Float = 0.5,
        max_iter: Int = 200,
        max_time: Float | None = None,
        shuffle: bool = True,
        random_state: RandomState = None,
        tol: Float = 1e-4,
        verbose: bool | Int = False,
        warm_start: bool | Literal["exact"] = False,
        checkpoint: Path = None,
        checkpoint_seconds: Float | None = 60.0,
        checkpoint_epochs: Int | None = None,
        momentum: Float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool | Auto = False,
        validation_fraction: Splits = 0.1,
        scoring: Scoring = None,
        n_iter_no_change: Int | Float = 10,
        beta_1: Float = 0.9,
        beta_2: Float = 0.999,
        epsilon: Float = 1e-8,
        rho: Float = 0.9,
        clip_norm: Float | None = None,
        clip_value: Float | None = None,
        max_norm: Float | None = None,
        ema_decay: Float | None = None,
        swa_start: Float | None = None,
        max_fun: Int = 15000,
        n_members: Int = 1,
        bagging: Literal["folds"] | None = None,
        dtype: Precision = "float32",
        n_threads: Int | None = None,
    ) -> None:
        self._keep(locals())

    @overload
    def fit(
        self, X: Stream, *, X_val: Any = ..., y_val: Any = ..., sample_weight_val: Any = ...
    ) -> "DNNClassifier": ...
    @overload
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = ...,
        *,
        X_val: Any = ...,
        y_val: Any = ...,
        sample_weight_val: Any = ...,
    ) -> "DNNClassifier": ...
    @validating
    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> "DNNClassifier":
        """Train the network.

        Ctrl-C ends training with a warning; the estimator then holds the network so far.
        Whatever is raised leaves the estimator as it was before, but for an error of a stream
        that has been trained on: then it holds the network so far as well.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), or Stream
            Samples; or a `fastdnn.training.Stream`, which has the targets as well.
        y : array-like of shape (n_samples,), (n_samples, n_labels) or (n_samples, n_classes)
            Class labels of any type; or a 0/1 matrix for several labels a sample; or
            probabilities of classes, such as another model predicts: a matrix of
            floating-point numbers, not all of them 0 or 1, whose rows sum to 1. Their classes
            are 0, 1, 2 and so on.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each sample.
        X_val : array-like or sparse matrix of shape (n_val, n_features), default=None
            Samples to validate on after each epoch, in the place of some that
            ``early_stopping`` would hold out of X; with ``early_stopping=False`` what they
            tell is only recorded. In a pipeline ``transform_input=["X_val"]`` transforms
            them as X.
        y_val : array-like, default=None
            Their targets, of the form of `y`.
        sample_weight_val : array-like of shape (n_val,), default=None
            Their weights.

        Returns
        -------
        DNNClassifier
            This estimator.

        Raises
        ------
        ValueError
            If the input is not valid or training diverges; a `StreamError` of a stream that
            cannot be read.
        KeyboardInterrupt
            At Ctrl-C in the first epoch, or with ``solver='lbfgs'``.
        """
        given = Given(X_val, y_val, sample_weight_val)
        return self._fit(X, y, sample_weight, incremental=False, given=given)

    @available_if(BaseDNN._check_solver)
    @validating
    def partial_fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        classes: Any = None,
        *,
        n_steps: int | None = None,
    ) -> "DNNClassifier":
        """Train for one epoch on the given samples, or for some batches.

        Whatever is raised leaves the estimator as it was before. That includes Ctrl-C, which
        scikit-learn's perceptrons swallow here: it ends a loop of calls.

        The optimiser of the first call goes on, with its learning rate, whatever `solver` and
        `learning_rate_init` are set to later; all other parameters count as they are now.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,), (n_samples, n_labels) or (n_samples, n_classes)
            Class labels, or as of `fit`; after a first call probabilities may be 0 and 1 only.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each sample.
        classes : array-like of shape (n_classes,), default=None
            All classes that any call will see; needed at the first call, unless y has their
            probabilities.
        n_steps : int, default=None
            Train for so many batches instead of an epoch: the first ones of the order in which
            the samples are visited. More than the samples have go round again, in a new order.

        Returns
        -------
        DNNClassifier
            This estimator.

        Raises
        ------
        ValueError
            If the input is not valid or training diverges.
        KeyboardInterrupt
            At Ctrl-C.
        """
        return self._fit(
            X, y, sample_weight, incremental=True, classes=classes, n_steps=n_steps
        )

    def to_sklearn(self) -> MLPClassifier:
        """Return a fitted `MLPClassifier` with the same parameters.

        Everything that takes one can then be used. For ONNX there is `fastdnn.onnx`.

        Returns
        -------
        sklearn.neural_network.MLPClassifier
            Predicts the same, and goes on from the same state in `partial_fit`.

        Raises
        ------
        ValueError
            If a parameter has a value that scikit-learn does not know.
        """
        return interchange.to_sklearn(self, MLPClassifier)

    @classmethod
    def from_sklearn(cls, mlp: MLPClassifier, *, dtype: str = "float32") -> "DNNClassifier":
        """Return a fitted estimator with the parameters of a fitted `MLPClassifier`.

        Parameters
        ----------
        mlp : sklearn.neural_network.MLPClassifier
            Fitted.
        dtype : {'float32', 'float64', 'auto'}, default='float32'
            Precision of the new estimator; 'auto' takes that of `mlp`.

        Returns
        -------
        DNNClassifier
            Predicts the same up to rounding; `partial_fit` goes on from the same state.
        """
        return interchange.from_sklearn(cls, mlp, dtype)
