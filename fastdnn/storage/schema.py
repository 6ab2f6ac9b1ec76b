"""The schema of what a model file says about its model: format version 1.

Files of this version are everywhere and stay readable. So whatever is added, be it a value of
a parameter, is a new format version beside this one.
"""

FORMAT = "fastdnn"
#: The format version that is written; older ones are read.
FORMAT_VERSION = 1

_ACTIVATIONS = (
    "identity", "sigmoid", "tanh", "relu", "softmax", "silu", "exp", "leaky_relu", "elu",
    "selu", "gelu", "mish", "softplus", "hardswish",
)  # fmt: skip
_LOSSES = (
    "log_loss", "smoothed_log_loss", "focal", "hinge", "hinge_of_classes", "poisson", "gamma",
    "tweedie", "squared_error", "half_squared_error", "absolute_error", "huber", "log_cosh",
    "quantile",
)  # fmt: skip
_OPTIMIZERS = (
    "sgd", "momentum", "nesterov", "adam", "adamw", "amsgrad", "nadam", "radam", "adamax",
    "adagrad", "adadelta", "rmsprop", "lion",
)  # fmt: skip
_COUNT = {"type": "integer", "minimum": 0, "maximum": 2**63 - 1}
_SIZE = {"type": "integer", "minimum": 1, "maximum": 2**63 - 1}
_SIZES = {"type": "array", "items": _SIZE, "minItems": 2}
_HIDDEN_SIZES = {"type": "array", "items": _SIZE}
_NUMBER = {"type": "number"}
_BOOLEAN = {"type": "boolean"}
_NULL = {"type": "null"}
# JSON has no infinity.
_ANY_NUMBER = {"anyOf": [_NUMBER, {"type": "string", "enum": ["inf", "-inf", "nan"]}]}
_PRECISION = {"type": "string", "enum": ["float32", "float64"]}


def _one_of(*names: str) -> dict:
    return {"type": "string", "enum": list(names)}


def _object(**properties: dict) -> dict:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _or_null(schema: dict) -> dict:
    return {"anyOf": [_NULL, schema]}


_RANDOM_STATE = _object(
    position={"type": "integer", "minimum": 0, "maximum": 624},
    has_gauss={"type": "integer", "minimum": 0, "maximum": 1},
    cached_gaussian=_NUMBER,
)

_PARAMETERS = {
    "hidden_layer_sizes": {"anyOf": [_SIZE, _HIDDEN_SIZES]},
    "activation": _one_of("identity", "logistic", "tanh", "relu", "silu"),
    "solver": _one_of("lbfgs", "sgd", "adam"),
    "alpha": _NUMBER,
    "batch_size": {"anyOf": [_SIZE, _one_of("auto")]},
    "learning_rate": _one_of("constant", "invscaling", "adaptive"),
    "learning_rate_init": _NUMBER,
    "power_t": _NUMBER,
    "max_iter": _SIZE,
    "shuffle": _BOOLEAN,
    "random_state": {"anyOf": [_NULL, _COUNT, _RANDOM_STATE]},
    "tol": _NUMBER,
    "verbose": {"anyOf": [_BOOLEAN, _COUNT]},
    "warm_start": _BOOLEAN,
    "momentum": _NUMBER,
    "nesterovs_momentum": _BOOLEAN,
    "early_stopping": _BOOLEAN,
    "validation_fraction": _NUMBER,
    "beta_1": _NUMBER,
    "beta_2": _NUMBER,
    "epsilon": _NUMBER,
    "n_iter_no_change": {"anyOf": [_SIZE, _one_of("inf")]},
    "max_fun": _SIZE,
    "dtype": _one_of("float32", "float64", "auto"),
    "n_threads": _or_null(_SIZE),
}

_TEXT_WIDTH = {"type": "integer", "minimum": 1, "maximum": 2**31 - 1}
_CLASSES = {
    "anyOf": [
        _object(
            kind=_one_of("numbers"),
            dtype=_one_of(
                "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32",
                "uint64", "float16", "float32", "float64",
            ),
            count=_SIZE,
        ),
        _object(kind=_one_of("str", "object", "bytes"), width=_TEXT_WIDTH, count=_SIZE),
    ]
}  # fmt: skip

_HISTORY = _object(
    early_stopping=_BOOLEAN,
    n_losses=_COUNT,
    n_scores=_COUNT,
    best_loss=_ANY_NUMBER,
    best_validation_score=_ANY_NUMBER,
    no_improvement_count=_COUNT,
    n_iter=_COUNT,
    t=_COUNT,
    loss=_ANY_NUMBER,
    has_best_theta=_BOOLEAN,
)

_OPTIMIZER = _object(
    name=_one_of(*_OPTIMIZERS),
    dtype=_PRECISION,
    learning_rate={"type": "number", "minimum": 0},
    t=_COUNT,
)


def _fitted(outputs: list[str], **more: dict) -> dict:
    return _object(
        layer_sizes=_SIZES,
        dtype=_PRECISION,
        out_activation=_one_of(*outputs),
        feature_name_width=_or_null(_TEXT_WIDTH),
        history=_HISTORY,
        shows_history=_BOOLEAN,
        optimizer=_or_null(_OPTIMIZER),
        **more,
    )


_CLASSIFIER = _object(
    **{"class": _one_of("DNNClassifier")},
    parameters=_object(**_PARAMETERS),
    fitted=_or_null(_fitted(["logistic", "softmax"], classes=_CLASSES, multilabel=_BOOLEAN)),
)
_REGRESSOR = _object(
    **{"class": _one_of("DNNRegressor")},
    parameters=_object(loss=_one_of("squared_error", "poisson"), **_PARAMETERS),
    fitted=_or_null(_fitted(["identity", "exp"])),
)
_NETWORK = _object(
    **{"class": _one_of("DeepNeuralNetwork")},
    layer_sizes=_SIZES,
    activations={
        "type": "array",
        "items": _one_of(*_ACTIVATIONS),
        "minItems": 1,
    },
    loss=_one_of(*_LOSSES),
    dtype=_PRECISION,
)

#: The schema of the texts beside the tensors.
METADATA_SCHEMA = _object(
    format=_one_of(FORMAT),
    format_version={"type": "string", "pattern": "^[1-9][0-9]{0,7}$"},
    fastdnn_version={"type": "string", "pattern": "^[0-9A-Za-z.+-]{1,40}$"},
    model={"type": "string"},
    sha256={"type": "string", "pattern": "^[0-9a-f]{64}$"},
)

#: The schema of each class of model, by its name.
SCHEMAS = {
    "DNNClassifier": _CLASSIFIER,
    "DNNRegressor": _REGRESSOR,
    "DeepNeuralNetwork": _NETWORK,
}
