"""What is in a pickle, a copy or a file of skops of encoders and table estimators: plain data.

What was learnt is the arrays that model files have as well, so that skops has no types to
trust but the estimators themselves, and what is loaded is checked.
"""

from typing import Any

from sklearn.base import BaseEstimator

# Under which names the state has what was learnt.
_COUNTS, _ARRAYS = "_counts", "_arrays"
# What model files leave out.
_ONLY_HERE = {"_class_weight", "oof_prediction_", "oof_score_"}


class EncoderPickles(BaseEstimator):
    """What `TableEncoder` inherits: its state as plain data, and back."""

    def __getstate__(self) -> dict[str, Any]:
        from fastdnn.tables.plain_encoder import plain_encoder  # which knows this class

        state = super().__getstate__()
        if "_encoders" not in state:
            return state
        counts, arrays = plain_encoder(self)
        params = self.get_params(deep=False)
        kept = {name: v for name, v in state.items() if name in params or name not in _LEARNT}
        return kept | {_COUNTS: counts, _ARRAYS: arrays}

    def __setstate__(self, state: dict[str, Any]) -> None:
        from fastdnn.tables.plain_encoder import encoder_from

        state = dict(state)
        counts, arrays = state.pop(_COUNTS, None), state.pop(_ARRAYS, None)
        super().__setstate__(state)
        if counts is not None:
            encoder_from(self, counts, arrays)


# What an encoder has learnt.
_LEARNT = {
    *("_names", "_kinds", "_words", "_sources", "_encoders", "_is_sparse", "dropped_"),
    *("n_features_in_", "feature_names_in_", "n_features_out_"),
}


class EstimatorPickles(BaseEstimator):
    """What `BaseTabularDNN` inherits: its state as plain data, and back."""

    def __getstate__(self) -> dict[str, Any]:
        from fastdnn.tables.plain import OF_FITS, plain_estimator

        state = super().__getstate__()
        if "_ensemble" not in state:
            return state
        known = OF_FITS | set(self.get_params(deep=False))
        fitted = object.__new__(type(self))  # without attributes of a user's own
        fitted.__dict__ = {name: v for name, v in vars(self).items() if name in known}
        try:
            counts, arrays = plain_estimator(fitted)
        except ValueError:  # of labels that are no plain data
            return state
        learnt = OF_FITS - _ONLY_HERE
        kept = {name: v for name, v in state.items() if name not in learnt}
        return kept | {_COUNTS: counts, _ARRAYS: arrays}

    def __setstate__(self, state: dict[str, Any]) -> None:
        from fastdnn.tables.plain import take_plain

        state = dict(state)
        counts, arrays = state.pop(_COUNTS, None), state.pop(_ARRAYS, None)
        super().__setstate__(state)
        if counts is not None:
            take_plain(self, counts, arrays)
            self.__dict__.update({k: v for k, v in state.items() if k in _ONLY_HERE})
