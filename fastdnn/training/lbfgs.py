"""L-BFGS: SciPy's minimiser on the compiled loss and gradient of all samples."""

import inspect

import numpy as np
import scipy.optimize
from sklearn.utils.optimize import _check_optimize_result

from fastdnn.data.samples import AS_THEY_LIE, Samples
from fastdnn.network.description import Network
from fastdnn.network.parameters import Parameters
from fastdnn.planning.plan import plan_training
from fastdnn.teams.blas import single_threaded_blas
from fastdnn.training.epochs import EpochRunner
from fastdnn.training.loop import Notices, log_loss_cap

# Rows whose activations are held at a time.
_ROWS_AT_ONCE = 1024


def fit_lbfgs(
    parameters: Parameters,
    network: Network,
    samples: Samples,
    *,
    alpha: float,
    max_iter: int,
    max_fun: int,
    tol: float,
    verbose: bool | int,
    n_threads: int | None,
    notices: Notices,
) -> tuple[int, float]:
    """Minimise the loss of all samples in place.

    Parameters
    ----------
    parameters : Parameters
        The network, in float64: line searches compare losses that differ by less than
        the rounding of float32.
    network : Network
        What it is.
    samples : Samples
        The rows to train on, in float64.
    alpha, max_iter, max_fun, tol, verbose
        As in the estimators.
    n_threads : int or None
        Threads that the user allows; None for as many as pay.
    notices : Notices
        Gets the warning of the minimiser, if it did not converge.

    Returns
    -------
    n_iter : int
        Iterations run.
    loss : float
        The loss reached.
    """
    gradient = np.zeros_like(parameters.theta)
    plan = plan_training(
        parameters,
        network,
        "gradient",
        batch_size=min(_ROWS_AT_ONCE, samples.n_rows),
        samples=samples,
        gather=False,
        n_threads=n_threads,
        state=gradient,
    )
    total = float(samples.n_rows if samples.weight is None else samples.weight.sum())
    alpha *= samples.weight_scale
    plan.table["total_weight"] = total
    plan.table["loss_cap"] = log_loss_cap(parameters)
    theta, n_weights = parameters.theta, parameters.n_weights
    weights = theta[:n_weights]

    with EpochRunner(plan, samples, AS_THEY_LIE) as runner, single_threaded_blas():

        def loss_and_gradient(candidate: np.ndarray) -> tuple[float, np.ndarray]:
            theta[:] = candidate
            gradient[:] = 0.0
            value = runner.run()[0]
            gradient[:n_weights] += alpha / total * weights
            penalty = 0.5 * alpha / total * float(np.dot(weights, weights))
            return value + penalty, gradient.copy()  # SciPy keeps what it is given

        result = scipy.optimize.minimize(
            loss_and_gradient,
            theta.copy(),
            method="L-BFGS-B",
            jac=True,
            options={"maxfun": max_fun, "maxiter": max_iter, "gtol": tol} | _printing(verbose),
        )
    theta[:] = result.x
    notices.append(lambda: _check_optimize_result("lbfgs", result, max_iter))
    return min(result.nit, max_iter), float(result.fun)


def _printing(verbose: bool | int) -> dict[str, int]:
    """Return the option that lets SciPy print every iteration, where it still can.

    Before 1.15 its minimiser prints. Since then the option has no effect, and from 1.16 on
    SciPy warns of it: the default there is no longer a number.
    """
    known = inspect.signature(scipy.optimize.fmin_l_bfgs_b).parameters.get("iprint")
    return {"iprint": 1} if verbose and known is not None and known.default == -1 else {}
