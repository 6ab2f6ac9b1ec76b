"""Members that share weights, as so many NumPy networks."""

import numpy as np
import pytest

from fastdnn.data.samples import Samples
from fastdnn.network.description import Layer, Network
from fastdnn.network.parameters import Parameters
from fastdnn.ops.optimizers import OPTIMIZERS
from fastdnn.planning.layer_steps import LayerSteps
from fastdnn.planning.plan import plan_training
from fastdnn.training.epochs import EpochRunner
from tests.compact_tables import encoded, rows_of_table
from tests.compact_tables import table as table_of_columns
from tests.oracle.optimizers import Stepper

pytestmark = [pytest.mark.usefixtures("four_cpus"), pytest.mark.slow_without_jit]

N_MEMBERS, ROWS, BATCHES = 3, 10, 4
FACTORS, OF_TAIL, OF_SCALES, DECAY, RATE = (0.5, 0.25, 0.75), 0.1, 6.0, 0.5, 0.01


class NumpyMember:
    """A network ``softmax(W2 tanh(W1 tanh(W0 (s x) + b0) + b1) + b2)`` of its own s, b, W2."""

    def __init__(self, scales, b0, b1, W2, b2):
        self.own = [scales.copy(), b0.copy(), b1.copy(), W2.copy(), b2.copy()]

    def gradients(self, W0, W1, X, Y, weight):
        """Return those of the shared weights, and of its own; weights of all add up to 1."""
        s, b0, b1, W2, b2 = self.own
        H0 = np.tanh((X * s) @ W0 + b0)
        H1 = np.tanh(H0 @ W1 + b1)
        Z = H1 @ W2 + b2
        P = np.exp(Z - Z.max(axis=1, keepdims=True))
        P /= P.sum(axis=1, keepdims=True)
        D2 = (P - np.eye(P.shape[1])[Y]) * weight[:, np.newaxis]
        D1 = (D2 @ W2.T) * (1 - H1**2)
        D0 = (D1 @ W1.T) * (1 - H0**2)
        own = [
            ((D0 @ W0.T) * X).sum(axis=0), D0.sum(axis=0), D1.sum(axis=0), H1.T @ D2,
            D2.sum(axis=0),
        ]  # fmt: skip
        return (X * s).T @ D0, H0.T @ D1, own


def steppers(solver):
    def one(factor, decay):
        return Stepper(solver, learning_rate=RATE * factor, weight_decay=decay / factor)

    tail = [Stepper(solver, learning_rate=RATE * OF_TAIL, weight_decay=0.0) for _ in range(3)]
    scales = Stepper(solver, learning_rate=RATE * OF_SCALES, weight_decay=0.0)
    # In the order of a member's own: scales, b0, b1, W2, b2.
    return [scales, tail[0], tail[1], one(FACTORS[2], DECAY), tail[2]]


def numpy_training(start, solver, X, Y, weight, order):
    W0, W1 = start["W0"].copy(), start["W1"].copy()
    members = [NumpyMember(*own) for own in start["own"]]
    of_shared = [
        Stepper(solver, learning_rate=RATE * f, weight_decay=DECAY / f) for f in FACTORS[:2]
    ]
    of_members = [steppers(solver) for _ in members]
    for batch in order.reshape(-1, N_MEMBERS, ROWS):
        total = weight[batch].sum()
        made = [
            member.gradients(W0, W1, X[rows], Y[rows], weight[rows] / total)
            for member, rows in zip(members, batch, strict=True)
        ]
        for member, (_, _, own), own_steppers in zip(members, made, of_members, strict=True):
            for position, (p, g) in enumerate(zip(member.own, own, strict=True)):
                is_weight = position == 3
                own_steppers[position].step([p] * is_weight, [p] * (not is_weight), [g])
        of_shared[0].step([W0], [], [sum(g for g, _, _ in made)])
        of_shared[1].step([W1], [], [sum(g for _, g, _ in made)])
    thetas = []
    for s, b0, b1, W2, b2 in (member.own for member in members):
        parts = s[:, np.newaxis] * W0, W1, W2, b0, b1, b2
        thetas.append(np.concatenate([part.ravel() for part in parts]))
    return np.array(thetas), np.array([member.own[0] for member in members])


def problem(kind):
    rng = np.random.default_rng(0)
    n_rows = ROWS * BATCHES
    table = table_of_columns() if kind == "table" else None
    X = rows_of_table(n_rows).astype(float) if table else rng.standard_normal((n_rows, 30))
    dense = encoded(X.astype(np.float32)) if table else X
    sizes = dense.shape[1], 40, 24, 3
    draw = lambda *shape: 0.3 * rng.standard_normal(shape)  # noqa: E731
    start = {"W0": draw(*sizes[:2]), "W1": draw(*sizes[1:3])}
    start["own"] = [
        [rng.choice([-1.0, 1.0], sizes[0]), draw(40), draw(24), draw(24, 3), draw(3)]
        for _ in range(N_MEMBERS)
    ]
    Y = rng.integers(0, 3, n_rows)
    weight = rng.integers(1, 4, n_rows).astype(float)
    orders = [rng.permutation(n_rows).reshape(BATCHES, ROWS) for _ in range(N_MEMBERS)]
    order = np.stack(orders, axis=1).reshape(-1)
    layers = Layer(40, "tanh"), Layer(24, "tanh"), Layer(3, "softmax")
    network = Network(sizes[0], layers, "log_loss", table=table)
    return start, network, X, dense, Y, weight, order


def trained(start, network, X, Y, weight, order, solver, n_threads, dtype=np.float64):
    first = Parameters(network.sizes, dtype)
    first.coefs[0][:], first.coefs[1][:] = start["W0"], start["W1"]
    scales = np.array([own[0] for own in start["own"]])
    steps = LayerSteps(FACTORS, OF_TAIL, OF_SCALES)
    steps.begin(first, OPTIMIZERS[solver], scales)
    samples = Samples(X, Y.reshape(-1, 1).astype(float), weight).astype(dtype).at(order)
    plan = plan_training(
        first, network, solver, batch_size=N_MEMBERS * ROWS, samples=samples, gather=True,
        n_threads=n_threads, layer_steps=steps, n_members=N_MEMBERS,
    )  # fmt: skip
    for theta, (s, b0, b1, W2, b2) in zip(plan.thetas, start["own"], strict=True):
        member = Parameters(network.sizes, dtype, theta)
        member.coefs[0][:], member.coefs[1][:] = s[:, np.newaxis] * start["W0"], start["W1"]
        member.coefs[2][:] = W2
        for b, value in zip(member.intercepts, (b0, b1, b2), strict=True):
            b[:] = value
    plan.set_numbers(learning_rate=RATE, momentum=0.9, beta_1=0.9, beta_2=0.999, epsilon=1e-8)
    plan.set_numbers(weight_decay=DECAY)
    with EpochRunner(plan, samples, order) as runner:
        for _ in range(3):
            runner.run()
    return np.array(plan.thetas), steps.scales


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("kind", ["dense", "table"])
@pytest.mark.parametrize("solver", ["sgd", "adam", "adamw", "lion"])
def test_training_equals_numpy(solver, kind, n_threads):
    start, network, X, dense, Y, weight, order = problem(kind)
    order_of_three = np.tile(order, 3)
    expected, scales = numpy_training(start, solver, dense, Y, weight, order_of_three)
    thetas, made = trained(start, network, X, Y, weight, order, solver, n_threads)
    np.testing.assert_allclose(thetas, expected, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(made, scales, rtol=1e-6)
    assert not np.allclose(np.abs(scales), 1.0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", ["dense", "table"])
def test_bits_do_not_depend_on_threads(kind, dtype):
    start, network, X, _, Y, weight, order = problem(kind)
    results = [
        trained(start, network, X, Y, weight, order, "adamw", n, dtype)[0] for n in (1, 2, 4)
    ]
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])
