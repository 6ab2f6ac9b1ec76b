"""What a fitted estimator computes of samples, by its network or by several members."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from fastdnn.data.conversion import NotFiniteError
from fastdnn.data.samples import Samples
from fastdnn.estimators.member_results import mean_results
from fastdnn.estimators.members import each_on
from fastdnn.estimators.validation import ValidatingEstimator
from fastdnn.models.consistency import checked_parameters
from fastdnn.network.description import Network
from fastdnn.network.parameters import Parameters
from fastdnn.prediction.predictor import Predictor
from fastdnn.training.divergence import finite_outputs


class NetworkResults(ValidatingEstimator, ABC):
    """What `BaseDNN` inherits: the way from X to what predictions are made of."""

    estimators_: list[Any]
    out_activation_: str
    _predictor: Predictor

    @abstractmethod
    def _network(self, parameters: Parameters) -> Network:
        """Describe the network."""

    @abstractmethod
    def _kind_of_predictions(self) -> str:
        """Return which results predictions, or probabilities, are made of."""

    @abstractmethod
    def _as_predicted(self, outputs: np.ndarray) -> np.ndarray:
        """Return such results in the form of predictions, or of probabilities."""

    @abstractmethod
    def _score_predictions(
        self, outputs: np.ndarray, Y: np.ndarray, weight: np.ndarray | None
    ) -> float:
        """Score such results as `score` does."""

    @abstractmethod
    def _conformal_scores(self, outputs: np.ndarray, y: Any) -> np.ndarray | None:
        """Return how far targets are from such results, if they can be."""

    def _results(self, X: Any, kind: str) -> np.ndarray:
        """Return results of the network, a name in `fastdnn.ops.results.RESULTS`.

        They are float32 if both the network and X are, an array or a sparse matrix;
        otherwise float64, as scikit-learn's.
        """
        if "estimators_" in self.__dict__:
            samples = self.estimators_[0]._validate_for_prediction(X)
            return self._results_on(samples, X, kind)
        predictor = self._current_predictor()
        samples = self._validate_for_prediction(X)
        return self._results_of(samples, X, kind, predictor, self.n_threads)

    def _results_on(self, samples: Samples, X: Any, kind: str) -> np.ndarray:
        """Return results of all members together, for samples which are `X`."""
        each = each_on(self.estimators_, samples, X, self.n_threads)
        return mean_results(each, kind, self.out_activation_)

    def _current_predictor(self) -> Predictor:
        """Return what predicts with the network as it is now."""
        parameters = checked_parameters(self)
        network, predictor = self._network(parameters), self._predictor
        if predictor.parameters is not parameters or predictor.network != network:
            # Matrices were exchanged, or the parameter was set, after fitting.
            predictor = Predictor(parameters, network)
        return predictor

    def _results_of(
        self, samples: Samples, X: Any, kind: str, predictor: Predictor, n_threads: int | None
    ) -> np.ndarray:
        """Return results for samples, which are `X` as the engine takes it."""
        given = getattr(X, "dtype", None)
        is_single = isinstance(given, np.dtype) and given.type is np.float32
        options = n_threads, kind, not is_single
        try:
            outputs = predictor(samples, *options)
        except NotFiniteError:
            # scikit-learn has the message; or lets NaN pass, where it was told to.
            samples = Samples(self._validated(X, dtype=np.float32))
            outputs = predictor(samples, *options)
        activation = predictor.network.output_activation
        return finite_outputs(outputs, samples.X, predictor.parameters, activation)
