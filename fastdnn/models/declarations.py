"""Every hyperparameter of the estimators, declared once.

To add one: a row here, and its name in the signatures of the estimators that have it, in the
order of the rows; then the parameters of model files (`fastdnn.storage`) and a test.
"""

import os
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils._param_validation import Options as OneOf

from fastdnn.ops.own_functions import Activation, Loss
from fastdnn.training.schedules import SCHEDULES

_CLASSIFIER, _REGRESSOR = ("DNNClassifier",), ("DNNRegressor",)


class Values(NamedTuple):
    """Which values a hyperparameter may have: for docstrings, and for scikit-learn."""

    kind: str
    constraint: list


class Hyperparameter(NamedTuple):
    """A row of the table.

    Attributes
    ----------
    name : str
        Of the parameter.
    told : str
        Who is told of it: 'network' is what its layers are; 'training', 'stochastic' and
        'lbfgs' get it in their options; 'estimator' keeps it to itself.
    default : object
        The value that the signatures have.
    values : Values
        Which values it may have.
    text : str
        What docstrings say of it.
    estimators : tuple of str
        The classes that have it.
    needs_steps : bool
        Whether ``solver='lbfgs'`` refuses other values than the default. It ignores what
        scikit-learn's ignores as well.
    """

    name: str
    told: str
    default: Any
    values: Values
    text: str
    estimators: tuple[str, ...] = _CLASSIFIER + _REGRESSOR
    needs_steps: bool = False


def _one_of(*names: str) -> Values:
    return Values(f"{{{', '.join(map(repr, names))}}}", [StrOptions(set(names))])


class NoBool(Interval):
    """An interval without True and False, which Python counts among the numbers."""

    def is_satisfied_by(self, val: Any) -> bool:
        """Whether a value lies in it and is no bool."""
        return not isinstance(val, bool) and super().is_satisfied_by(val)


def _number(
    kind: str,
    low: float | None,
    high: float | None,
    closed: Any,
    interval: type[Interval] = NoBool,
) -> Values:
    return Values(kind, [interval(Real, low, high, closed=closed)])


def _or_none(values: Values) -> Values:
    return Values(f"{values.kind} or None", [*values.constraint, None])


def _or(values: Values, kind: str, *more: Any) -> Values:
    return Values(f"{values.kind} or {kind}", [*values.constraint, *more])


_BOOLEAN = Values("bool", ["boolean"])
_POSITIVE = _number("float", 0, None, "neither")
_NOT_NEGATIVE = _number("float", 0, None, "left")
_BELOW_ONE = _number("float", 0, 1, "left")
_INSIDE_ONE = _number("float", 0, 1, "neither")
_COUNT = Values("int", [NoBool(Integral, 1, None, closed="left")])
# scikit-learn takes True and False as 1 and 0, and so do the parameters that it has as well.
_SKLEARN_POSITIVE = _number("float", 0, None, "neither", Interval)
_SKLEARN_NOT_NEGATIVE = _number("float", 0, None, "left", Interval)
_SKLEARN_BELOW_ONE = _number("float", 0, 1, "left", Interval)
_SKLEARN_UP_TO_ONE = _number("float", 0, 1, "both", Interval)
_AT_LEAST_ONE = Interval(Integral, 1, None, closed="left")
_SKLEARN_COUNT = Values("int", [_AT_LEAST_ONE])
_LISTS = list, tuple, np.ndarray

#: The activations by name.
ACTIVATION_NAMES = (
    *("identity", "logistic", "tanh", "relu", "leaky_relu", "elu", "selu", "gelu", "silu"),
    *("mish", "softplus", "hardswish", "prelu"),
)
_SOLVERS = (
    *("lbfgs", "sgd", "adam", "adamw", "amsgrad", "nadam", "radam", "adamax", "adagrad"),
    *("adadelta", "rmsprop", "lion"),
)

_Row = Hyperparameter

#: All of them, in the order of the signatures.
# fmt: off
ROWS: tuple[Hyperparameter, ...] = (
    _Row("loss", "network", "squared_error",
        _or(_one_of("squared_error", "absolute_error", "huber", "log_cosh", "quantile",
                    "poisson", "gamma", "tweedie", "gaussian_nll"), "Loss", Loss),
        "What is minimised: half the squared error; the absolute error; Huber's, which is "
        "linear beyond `huber_delta`; log(cosh(error)); the pinball loss of `quantile`; half "
        "the Poisson, gamma or Tweedie deviance with a logarithmic link, for targets that are "
        "not negative, or positive for 'gamma'; 'gaussian_nll', the negative log-likelihood "
        "of a normal distribution whose mean and variance are both learnt; or a "
        "`fastdnn.Loss` of your own. Meaned over samples and, but for deviances, over "
        "outputs.", _REGRESSOR),
    _Row("hidden_layer_sizes", "network", (100,),
        Values("int or array-like of int", ["array-like", _AT_LEAST_ONE]),
        "Units of each hidden layer."),
    _Row("activation", "network", "relu",
        _or(_one_of(*ACTIVATION_NAMES), "Activation or list of these", Activation, *_LISTS),
        "Activation of the hidden layers, by name or as a `fastdnn.Activation` of your own, "
        "or a list with one for each of them."),
    _Row("loss", "network", "log_loss",
        _or(_one_of("log_loss", "focal", "hinge"), "Loss", Loss),
        "What is minimised: the log-loss; the focal loss, which counts samples that are "
        "predicted well for less (`focal_gamma`); the hinge loss, which has no "
        "probabilities; or a `fastdnn.Loss` of your own.", _CLASSIFIER),
    _Row("label_smoothing", "network", 0.0, _BELOW_ONE,
        "Share of each target that is spread evenly over all classes, for "
        "``loss='log_loss'``.", _CLASSIFIER),
    _Row("focal_gamma", "network", 2.0, _NOT_NEGATIVE,
        "Exponent of ``loss='focal'``: a sample whose class has the probability p counts "
        "(1 - p)**gamma.", _CLASSIFIER),
    _Row("class_weight", "estimator", None,
        Values("dict, list of dict, 'balanced' or None",
               [dict, list, StrOptions({"balanced"}), None]),
        "Weights of the classes, which multiply those of the samples; of several labels a "
        "sample a list with a dict for each label. 'balanced' are weights inversely "
        "proportional to the frequencies of the classes.", _CLASSIFIER),
    _Row("huber_delta", "network", 1.0, _POSITIVE,
        "The error at which ``loss='huber'`` turns from a square into a straight line, in "
        "units of y.", _REGRESSOR),
    _Row("quantile", "network", 0.5, _or(_INSIDE_ONE, "list of float", *_LISTS),
        "Level of ``loss='quantile'``; of an ascending list `predict` returns a column each, "
        "which do not cross.", _REGRESSOR),
    _Row("tweedie_power", "network", 1.5, _number("float", 1, 2, "neither"),
        "Power of the mean that the variance is proportional to, for ``loss='tweedie'``.",
        _REGRESSOR),
    _Row("normalization", "network", None, Values("{'layer'} or None",
        [StrOptions({"layer"}), None]),
        "'layer' normalises what each hidden layer adds up, row by row, before its "
        "activation, with a gain and a shift that are learnt (Ba et al., 2016)."),
    _Row("dropout", "network", 0.0, _or(_BELOW_ONE, "list of float", *_LISTS),
        "Probability that an output of a hidden layer is left out of a training step "
        "(Srivastava et al., 2014); or a list with one for the input and one for each hidden "
        "layer.", needs_steps=True),
    _Row("input_noise", "network", 0.0, _NOT_NEGATIVE,
        "Standard deviation of normal noise that each training step adds to X, which has to "
        "be dense.", needs_steps=True),
    _Row("solver", "training", "adam", _one_of(*_SOLVERS),
        "Optimiser of the weights. 'lbfgs' uses all samples at every step and computes in "
        "float64."),
    _Row("alpha", "training", 0.0001, _SKLEARN_NOT_NEGATIVE,
        "Strength of the L2 penalty, ``alpha / 2 * sum(W**2)`` divided by the number of "
        "samples in the batch."),
    _Row("l1", "stochastic", 0.0, _NOT_NEGATIVE,
        "Strength of the L1 penalty, ``l1 * sum(abs(W))`` divided by the number of samples in "
        "the batch.", needs_steps=True),
    _Row("weight_decay", "stochastic", None, _or_none(_NOT_NEGATIVE),
        "Decoupled decay (Loshchilov and Hutter, 2019): each step multiplies the weights by "
        "1 - step size * weight_decay. None is 0.01 for 'adamw' and 0 for others.",
        needs_steps=True),
    _Row("batch_size", "stochastic", "auto",
        Values("int or 'auto'", [StrOptions({"auto"}), _AT_LEAST_ONE]),
        "Samples a step; 'auto' is ``min(200, n_samples)``."),
    _Row("learning_rate", "stochastic", "constant",
        _or(_one_of(*SCHEDULES), "callable", callable),
        "Schedule of the step size. 'cosine' falls to 0 at the end; 'one_cycle' rises to "
        "`learning_rate_init` and falls (Smith, 2018); 'exponential' ends at "
        "`learning_rate_factor` of the start; 'steps' multiplies by it at each of "
        "`learning_rate_steps`; 'plateau' multiplies by it after `learning_rate_patience` "
        "epochs without improvement; 'adaptive' divides by 5 where training would stop; a "
        "callable of the fraction of training done, from 0 to 1, returns the factor of "
        "`learning_rate_init`. As in scikit-learn, ``solver='adam'`` ignores 'invscaling' and "
        "'adaptive'."),
    _Row("learning_rate_init", "stochastic", 0.001, _SKLEARN_POSITIVE, "Initial step size."),
    _Row("learning_rate_warmup", "stochastic", 0.0, _BELOW_ONE,
        "Share of training in which the step size rises from 0, whatever the schedule.",
        needs_steps=True),
    _Row("learning_rate_factor", "stochastic", 0.1, _number("float", 0, 1, "right"),
        "Factor of 'exponential', 'steps' and 'plateau'.", needs_steps=True),
    _Row("learning_rate_steps", "stochastic", (0.5, 0.75),
        Values("tuple of float", [*_LISTS]),
        "Shares of training, ascending, after which 'steps' lowers the step size.",
        needs_steps=True),
    _Row("learning_rate_patience", "stochastic", 5, _COUNT,
        "Epochs without improvement until 'plateau' lowers the step size.", needs_steps=True),
    _Row("power_t", "stochastic", 0.5, _SKLEARN_NOT_NEGATIVE, "Exponent of 'invscaling'."),
    _Row("max_iter", "training", 200, _SKLEARN_COUNT, "Largest number of epochs."),
    _Row("max_time", "training", None, _or_none(_POSITIVE),
        "Seconds after which `fit` ends with what it has, and a warning."),
    _Row("shuffle", "stochastic", True, _BOOLEAN,
        "Whether to visit the samples in a new order every epoch."),
    _Row("random_state", "estimator", None,
        Values("int, RandomState instance or None", ["random_state"]),
        "Source of the initial parameters, the validation split, the order of samples, "
        "dropout and noise."),
    _Row("tol", "training", 1e-4, _SKLEARN_NOT_NEGATIVE,
        "Improvement of the loss or score that counts."),
    _Row("verbose", "training", False, Values("bool or int", ["verbose"]),
        "Whether to print the loss of each epoch. The number 1 shows a progress bar, where "
        "tqdm is installed."),
    _Row("warm_start", "estimator", False,
        Values("bool or 'exact'", ["boolean", StrOptions({"exact"})]),
        "Whether `fit` goes on from the parameters of the last one. With 'exact' it goes on "
        "as if that had not stopped, with its optimiser, random state and order of samples, "
        "until `max_iter` epochs in all."),
    _Row("checkpoint", "estimator", None,
        Values("str, PathLike or None", [str, os.PathLike, None]),
        "File to write the state of training to while `fit` runs, which `fastdnn.load` reads "
        "and ``warm_start='exact'`` goes on from.", needs_steps=True),
    _Row("checkpoint_seconds", "stochastic", 60.0, _or_none(_NOT_NEGATIVE),
        "Write it at the end of an epoch after so many seconds.", needs_steps=True),
    _Row("checkpoint_epochs", "stochastic", None, _or_none(_COUNT),
        "Write it after so many epochs.", needs_steps=True),
    _Row("momentum", "stochastic", 0.9, _SKLEARN_UP_TO_ONE, "Momentum of ``solver='sgd'``."),
    _Row("nesterovs_momentum", "stochastic", True, _BOOLEAN,
        "Whether momentum is Nesterov's."),
    _Row("early_stopping", "stochastic", False,
        Values("bool or 'auto'", ["boolean", StrOptions({"auto"})]),
        "Whether to stop when the score on validation samples no longer improves, and keep "
        "the best parameters. They are those given to `fit`, or else held out of X. 'auto': "
        "if they are given, or X has more than 10000 samples."),
    _Row("validation_fraction", "stochastic", 0.1,
        Values("float, cross-validator or iterable",
               [NoBool(Real, 0, 1, closed="left"), "cv_object"]),
        "Share of the samples held out for early stopping; or what splits them: the first "
        "split is used."),
    _Row("scoring", "estimator", None,
        Values("str, callable, list, tuple, dict or None",
               [str, callable, list, tuple, dict, None]),
        "What early stopping is decided by, after each epoch: accuracy or R2 if None, 'loss', "
        "a name or function as of scikit-learn's `scoring`; of several, which are all "
        "recorded, the first."),
    _Row("n_iter_no_change", "stochastic", 10,
        Values("int or inf", [_AT_LEAST_ONE, OneOf(Real, {np.inf})]),
        "Epochs without improvement that end training."),
    _Row("beta_1", "stochastic", 0.9, _SKLEARN_BELOW_ONE,
        "Decay of the first moment, the mean of gradients, for 'adam' and its kin."),
    _Row("beta_2", "stochastic", 0.999, _SKLEARN_BELOW_ONE,
        "Decay of their second moment, the mean of squares."),
    _Row("epsilon", "stochastic", 1e-8, _SKLEARN_POSITIVE,
        "Added to the root of the second moment."),
    _Row("rho", "stochastic", 0.9, _BELOW_ONE,
        "Decay of the mean of squares, for 'adadelta' and 'rmsprop'.", needs_steps=True),
    _Row("clip_norm", "stochastic", None, _or_none(_POSITIVE),
        "Largest Euclidean norm of the gradient of a batch, which is scaled down to it.",
        needs_steps=True),
    _Row("clip_value", "stochastic", None, _or_none(_POSITIVE),
        "Largest magnitude of each number of the gradient of a batch.", needs_steps=True),
    _Row("max_norm", "stochastic", None, _or_none(_POSITIVE),
        "Largest Euclidean norm of the weights into each unit, which are scaled down to it "
        "after each step.", needs_steps=True),
    _Row("ema_decay", "stochastic", None, _or_none(_INSIDE_ONE),
        "Decay of the moving average of the parameters over all steps that `fit` leaves in "
        "their place.", needs_steps=True),
    _Row("swa_start", "stochastic", None, _or_none(_INSIDE_ONE),
        "Share of `max_iter` after which the parameters at the end of each epoch are averaged "
        "(Izmailov et al., 2018); `fit` leaves the average.", needs_steps=True),
    _Row("max_fun", "lbfgs", 15000, _SKLEARN_COUNT,
        "Largest number of evaluations of the loss, for ``solver='lbfgs'``."),
    _Row("n_members", "estimator", 1, _COUNT,
        "Networks that are trained side by side, each with a seed of its own. Predictions are "
        "their mean, and `predict_members` has those of each."),
    _Row("bagging", "estimator", None, _or_none(_one_of("folds")),
        "'folds' lets each member leave out another one of `n_members` parts of the samples, "
        "of each class as many. What members predict of the samples that they left out is "
        "`oof_prediction_`, and what `predict_interval` or `predict_set` are made of."),
    _Row("dtype", "estimator", "float32", _one_of("float32", "float64", "auto"),
        "Precision of the computation; 'auto' takes that of X, float64 for integers. A fit "
        "that goes on keeps the precision it began with. With float32, regressions on "
        "targets beyond 7e10 are computed in float64 and rounded."),
    _Row("n_threads", "training", None, Values("int or None", [_AT_LEAST_ONE, None]),
        "Threads offered to `fit` and `predict`, at most the CPUs that this process may "
        "use. None: as many as pay, at most what ``OMP_NUM_THREADS``, joblib and Dask leave "
        "to this process or task. The result does not depend on it."),
)
# fmt: on
