"""The table of operations of a network: what is fused, left out and wanted."""

from itertools import pairwise

import numpy as np
import pytest

from fastdnn.engine.operations import (
    ACTIVATE,
    BATCH,
    CSR_LINEAR,
    DELTA_HAS_ZEROS,
    DONE_AFTER,
    DONE_BEFORE,
    FLOORS,
    HAS_ZEROS,
    LINEAR,
    LOSS,
    MASKS,
    TRANSFORM,
    WANTS_DELTA,
)
from fastdnn.network.description import Layer, Network
from fastdnn.network.parameters import Parameters
from fastdnn.ops.activations import ACTIVATIONS
from fastdnn.planning.layout import Workspace
from fastdnn.planning.program import lay_out_transposed, operations
from tests.networks import network_of

SIZES = (5, 4, 6, 3)


def program(activations, **options):
    options = {"is_sparse": False, "trains": True} | options
    parameters = Parameters(SIZES, np.float32)
    workspace = Workspace(8)
    network = network_of(parameters, activations)
    return operations(network, parameters, workspace, 8, **options), workspace


def flags(rows, kinds):
    return [row.flags for row in rows if row.kind in kinds]


def test_layers_are_products_and_activations_and_training_ends_with_a_loss():
    rows, _ = program(["tanh", "relu", "softmax"])
    assert [row.kind for row in rows] == [LINEAR, ACTIVATE] * 3 + [LOSS]
    rows, _ = program(["tanh", "relu", "softmax"], trains=False)
    assert [row.kind for row in rows] == [LINEAR, ACTIVATE] * 3
    assert not any(row.flags & WANTS_DELTA or row.backward for row in rows)


def test_a_floor_is_done_by_the_product_and_its_zeros_are_known_around_it():
    rows, _ = program(["relu", "tanh", "softmax"], may_mask=True)
    assert flags(rows, [LINEAR]) == [
        FLOORS | DELTA_HAS_ZEROS,
        HAS_ZEROS | WANTS_DELTA,
        WANTS_DELTA,
    ]
    assert flags(rows, [ACTIVATE]) == [DONE_BEFORE | MASKS, 0, DONE_AFTER]
    assert rows[1].forward == 0
    assert rows[1].backward != 0


def test_the_gradient_is_made_from_zeros_in_the_first_layer_only_and_if_it_may():
    assert not program(["relu", "relu", "softmax"])[0][1].flags & MASKS
    rows, _ = program(["tanh", "relu", "softmax"], may_mask=True)
    assert not any(row.flags & MASKS for row in rows)


def test_products_of_sparse_rows_do_not_floor():
    rows, _ = program(["relu", "relu", "softmax"], is_sparse=True)
    assert rows[0].kind == CSR_LINEAR
    assert rows[0].flags == DELTA_HAS_ZEROS
    assert rows[1].forward != 0
    assert rows[2].flags & FLOORS


@pytest.mark.parametrize("output", ["softmax", "identity"])
def test_a_loss_reads_what_it_is_defined_for(output):
    rows, _ = program(["relu", "relu", output])
    last, loss = rows[-2:]
    is_canonical = output == "softmax"
    assert loss.input == (last.input if is_canonical else last.output)
    assert bool(last.flags & DONE_AFTER) == is_canonical
    assert (last.backward == 0) == is_canonical
    assert loss.delta_of_input == last.delta_of_output
    assert loss.tail_start == last.tail_start == rows[-3].tail_start


def test_operations_read_what_the_one_before_has_written():
    rows, _ = program(["silu", "tanh", "softmax"])
    assert rows[0].input == rows[0].delta_of_input == BATCH
    for before, row in pairwise(rows[:-1]):
        assert row.input == before.output
        assert row.n_in == before.n_out
        if row.kind == LINEAR:
            assert row.delta_of_input == before.delta_of_output
    kept, in_place = rows[1], rows[3]
    assert kept.output != kept.input  # silu's derivative is one of its input
    assert in_place.output == in_place.input
    assert ACTIVATIONS["silu"].keeps_input


def test_transposed_weights_are_those_of_products_that_want_a_delta():
    rows, workspace = program(["relu", "relu", "softmax"])
    before = workspace.size
    apart = lay_out_transposed(rows, workspace, n_copies=3)
    starts = [row.transposed_start for row in rows if row.kind == LINEAR]
    assert starts[0] == 0
    assert before == starts[1] < starts[2] < before + apart
    assert workspace.size == before + 3 * apart


# -- normalisation, dropout and noise -----------------------------------------------------


def written(*hidden, is_sparse=False, trains=True, **of_input):
    """Return the program of a network with such hidden layers, whose rows are 8."""
    sizes = (5, *(layer.n_out for layer in hidden), 3)
    network = Network(5, (*hidden, Layer(3, "softmax")), "log_loss", **of_input)
    parameters = Parameters(
        sizes, np.float32, normalized=network.normalized, sloped=network.sloped
    )
    options = {"is_sparse": is_sparse, "trains": trains, "may_mask": True}
    return operations(network, parameters, Workspace(8), 8, **options), parameters


def test_normalisation_lies_between_product_and_activation_and_does_the_floor():
    rows, parameters = written(Layer(4, "relu", "layer"), Layer(6, "tanh", "layer"))
    kinds = [LINEAR, TRANSFORM, ACTIVATE]
    assert [row.kind for row in rows] == [*kinds, *kinds, LINEAR, ACTIVATE, LOSS]
    # Deltas that come out of a normalisation have no zeros, activations have.
    assert flags(rows, [LINEAR]) == [0, HAS_ZEROS | WANTS_DELTA, WANTS_DELTA]
    assert flags(rows, [ACTIVATE]) == [DONE_BEFORE, 0, DONE_AFTER]
    for l, (product, norm, activation) in enumerate((rows[:3], rows[3:6])):
        gains = parameters.own_starts["norm", l]
        assert (norm.own_start, norm.own_size) == (gains, 2 * norm.n_out)
        assert norm.tail_start == product.tail_start == parameters.intercept_starts[l]
        assert activation.tail_start == gains + norm.n_out  # of the shifts
        assert product.output == norm.input != norm.output == activation.input
    floors = [np.int64(row.amount).view(np.float64) for row in (rows[1], rows[4])]
    assert floors == [0.0, -np.inf]


def test_dropout_is_in_place_unless_the_output_is_needed_as_it_was():
    hidden = [Layer(4, name, None, 0.5) for name in ("relu", "silu", "tanh", "prelu")]
    rows, _ = written(*hidden)
    dropped = [row for row in rows if row.kind == TRANSFORM and row.own_size == 0]
    assert [row.input == row.output for row in dropped] == [True, True, False, True]
    assert len({row.stream for row in dropped}) == 4
    relu, others = dropped[0], dropped[1:]
    assert all(row.backward == others[0].backward != relu.backward for row in others)
    # What was dropped is zero, in the next product and in the delta of this one.
    first, second = (row for row in rows[:6] if row.kind == LINEAR)
    assert first.flags == FLOORS | DELTA_HAS_ZEROS
    assert second.flags == HAS_ZEROS | DELTA_HAS_ZEROS | WANTS_DELTA
    assert rows[1].flags == DONE_BEFORE | MASKS


def test_noise_and_dropout_of_the_input_come_first_and_copy_it_once():
    rows, _ = written(Layer(4, "relu"), input_noise=0.5, input_dropout=0.5)
    noise, dropout, product = rows[:3]
    assert noise.input == BATCH != noise.output
    assert dropout.input == dropout.output == product.input == noise.output
    assert noise.backward == dropout.backward == 0
    assert product.flags == FLOORS | HAS_ZEROS | DELTA_HAS_ZEROS
    rows, _ = written(Layer(4, "relu"), is_sparse=True, input_dropout=0.5)
    plain, _ = written(Layer(4, "relu"), is_sparse=True)
    assert rows[0].kind == CSR_LINEAR
    assert rows[0].forward != plain[0].forward and rows[0].backward != plain[0].backward


def test_predictions_normalise_and_draw_nothing():
    rows, _ = written(
        Layer(4, "prelu", "layer", 0.5), trains=False, input_noise=0.5, input_dropout=0.5
    )
    assert [row.kind for row in rows] == [LINEAR, TRANSFORM, TRANSFORM, LINEAR, ACTIVATE]
    assert not any(row.backward for row in rows)
