"""L-BFGS: SciPy's minimiser on the compiled loss and gradient of all samples."""

import inspect
import math
import time

import numpy as np
import scipy.optimize
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.optimize import _check_optimize_result

from fastdnn.data.samples import AS_THEY_LIE
from fastdnn.planning.plan import plan_training
from fastdnn.teams.blas import single_threaded_blas
from fastdnn.training.checkpoints import deadline_of, said_of_time
from fastdnn.training.epochs import EpochRunner
from fastdnn.training.notices import Notices
from fastdnn.training.objective import Objective, log_loss_cap
from fastdnn.training.options import Options
from fastdnn.training.state import TrainingState
from fastdnn.training.validation import validation_of
from fastdnn.training.watching import Watches


class _TimeIsUp(Exception):
    """Ends the minimiser: ``max_time`` seconds are over."""


# Rows whose activations are held at a time.
_ROWS_AT_ONCE = 1024


def fit_lbfgs(
    objective: Objective,
    options: Options,
    state: TrainingState,
    notices: Notices,
    watch: Watches | None = None,
) -> None:
    """Minimise the loss of all samples in place.

    Parameters
    ----------
    objective : Objective
        The loss and the samples, in float64.
    options : Options
        Hyperparameters.
    state : TrainingState
        In float64: line searches compare losses that differ by less than the rounding of
        float32. Its history gets the iterations run, and the loss reached.
    notices : Notices
        Gets the warning of the minimiser, if it did not converge.
    watch : Watches, optional
        Is told of each iteration, and may end training.
    """
    samples, parameters = objective.samples, state.parameters
    gradient = np.zeros_like(parameters.theta)
    order = AS_THEY_LIE if samples.rows is None else samples.rows
    plan = plan_training(
        parameters,
        objective.network,
        "gradient",
        batch_size=min(_ROWS_AT_ONCE, samples.n_rows),
        samples=samples,
        gather=samples.rows is not None,
        n_threads=options.n_threads,
        state=gradient,
    )
    deadline = deadline_of(options)
    history, validation = state.history, None
    if objective.validation is not None:
        _, validation = validation_of(objective, options, state, parameters)
    history.is_validated = validation is not None
    total = float(samples.n_rows)
    if samples.weight is not None:
        weight = samples.weight if samples.rows is None else samples.weight[samples.rows]
        total = float(weight.sum())
    alpha = options.alpha * samples.weight_scale
    plan.table["total_weight"] = total
    plan.table["loss_cap"] = log_loss_cap(state.dtype)
    theta, n_weights = parameters.theta, parameters.n_weights
    weights = theta[:n_weights]

    with EpochRunner(plan, samples, order) as runner, single_threaded_blas():
        start, n_calls = time.perf_counter(), 0
        lowest, best, n_iterations, is_ended = math.inf, theta, 0, False

        def loss_and_gradient(candidate: np.ndarray) -> tuple[float, np.ndarray]:
            nonlocal n_calls, lowest, best
            n_calls += 1
            if watch is not None:
                watch.begin_epoch()
            theta[:] = candidate
            gradient[:] = 0.0
            value = runner.run()[0]
            gradient[:n_weights] += alpha / total * weights
            penalty = 0.5 * alpha / total * float(np.dot(weights, weights))
            value += penalty
            if deadline < math.inf:
                if n_calls == 1 or value < lowest:
                    lowest, best = value, candidate.copy()
                if time.monotonic() >= deadline:
                    raise _TimeIsUp
            return value, gradient.copy()  # SciPy keeps what it is given

        def record(intermediate_result: scipy.optimize.OptimizeResult) -> None:
            """Record an iteration; SciPy looks at the name of the argument."""
            nonlocal start, n_iterations, is_ended
            n_iterations += 1
            columns = {}
            if validation is not None:
                theta[:] = intermediate_result.x
                columns = validation().columns()
            before, start = start, time.perf_counter()
            loss, n_seen = float(intermediate_result.fun), n_calls * samples.n_rows
            history.add_row(loss, n_seen, start - before, columns)
            if watch is not None:
                theta[:] = intermediate_result.x
                history.n_iter, history.loss = n_iterations, loss
                is_ended = watch.end_epoch(history)
                start = time.perf_counter()
                if is_ended:
                    raise StopIteration  # which ends SciPy's minimiser

        try:
            result = scipy.optimize.minimize(
                loss_and_gradient,
                theta.copy(),
                method="L-BFGS-B",
                jac=True,
                callback=record,
                options={
                    "maxfun": options.max_fun,
                    "maxiter": options.max_iter,
                    "gtol": options.tol,
                }
                | _printing(options.verbose),
            )
        except _TimeIsUp:
            theta[:] = best
            history.n_iter, history.loss = n_iterations, lowest
            notices.warn(said_of_time(options, n_iterations), ConvergenceWarning)
            if watch is not None:
                watch.leave_epoch()
            return
        if watch is not None:
            watch.leave_epoch()
    theta[:] = result.x
    if not is_ended:
        notices.append(lambda: _check_optimize_result("lbfgs", result, options.max_iter))
    history.n_iter = min(result.nit, options.max_iter)
    history.loss = float(result.fun)


def _printing(verbose: bool | int) -> dict[str, int]:
    """Return the option that lets SciPy print every iteration, where it still can.

    Before 1.15 its minimiser prints. Since then the option has no effect, and from 1.16 on
    SciPy warns of it: the default there is no longer a number.
    """
    known = inspect.signature(scipy.optimize.fmin_l_bfgs_b).parameters.get("iprint")
    return {"iprint": 1} if verbose and known is not None and known.default == -1 else {}
