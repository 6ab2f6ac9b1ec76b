"""What SciPy's minimiser is called with, whichever SciPy is installed."""

import numpy as np
import pytest
import scipy.optimize

from fastdnn import DNNRegressor

X = np.linspace(-1.0, 1.0, 24).reshape(12, 2)

USUAL = {"maxfun": 99, "maxiter": 2, "gtol": 1e-3}


def that_prints(func, x0, iprint=-1):
    """Have the signature that SciPy's minimiser has up to 1.15."""


def that_warns(func, x0, iprint=NotImplemented):
    """Have the signature that it has in 1.16 and 1.17."""


def that_never_prints(func, x0):
    """Have the signature that it has since."""


@pytest.mark.parametrize("verbose", [False, True, 2])
@pytest.mark.parametrize("minimiser", [that_prints, that_warns, that_never_prints])
def test_verbose_is_passed_on_where_scipy_prints(minimiser, verbose, monkeypatch):
    usual, options = scipy.optimize.minimize, []

    def minimize(*args, **kwargs):
        options.append(kwargs.pop("options"))
        return usual(*args, **kwargs, options=USUAL)

    monkeypatch.setattr(scipy.optimize, "minimize", minimize)
    monkeypatch.setattr(scipy.optimize, "fmin_l_bfgs_b", minimiser)
    model = DNNRegressor(
        hidden_layer_sizes=(2,), solver="lbfgs", max_iter=2, max_fun=99, tol=1e-3
    )
    model.set_params(verbose=verbose).fit(X, X[:, 0])
    printing = {"iprint": 1} if verbose and minimiser is that_prints else {}
    assert options == [USUAL | printing]


@pytest.mark.parametrize("verbose", [False, True])
def test_the_installed_scipy_knows_the_options(verbose):
    # Warnings are errors: of options that are deprecated or unknown, too.
    model = DNNRegressor(hidden_layer_sizes=(2,), solver="lbfgs", max_iter=2, verbose=verbose)
    assert np.isfinite(model.fit(X, X[:, 0]).loss_)
