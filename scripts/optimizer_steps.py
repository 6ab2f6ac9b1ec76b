"""Make the steps of PyTorch's optimisers that `tests/ops/test_optimizers.py` compares with.

    python scripts/optimizer_steps.py

writes ``tests/stored/optimizer_steps.json``. It needs PyTorch, which the tests do not. Lion,
which PyTorch lacks, is written here by its paper's formula (Chen et al., 2023, algorithm 2).
"""

import json
import sys
from pathlib import Path

import torch

FILE = Path(__file__).parent.parent / "tests" / "stored" / "optimizer_steps.json"
N_STEPS = 50
START = [1.5, -2.0, 0.25]
CURVATURES = [0.01, 1.0, 20.0]


class Lion(torch.optim.Optimizer):
    """The optimiser of the paper."""

    def __init__(self, params, lr, betas, weight_decay=0.0):
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self):
        """Take one step."""
        for group in self.param_groups:
            beta_1, beta_2 = group["betas"]
            for p in group["params"]:
                m = self.state[p].setdefault("m", torch.zeros_like(p))
                direction = torch.sign(beta_1 * m + (1 - beta_1) * p.grad)
                p -= group["lr"] * (direction + group["weight_decay"] * p)
                m.copy_(beta_2 * m + (1 - beta_2) * p.grad)


# Names of ours, PyTorch's class, its arguments, and our numbers where they differ in name.
_OF_ADAM = {"lr": 0.01, "betas": (0.9, 0.999), "eps": 1e-8}
_ADAM = {"learning_rate": 0.01, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8}
_OTHERS = {"lr": 0.02, "betas": (0.8, 0.95), "eps": 1e-3}
_OTHER = {"learning_rate": 0.02, "beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-3}
_DECOUPLED = {"weight_decay": 0.1, "decoupled_weight_decay": True}
_DECAY = {"weight_decay": 0.1}
_RATE = {"learning_rate": 0.01}
_SGD, _MOMENTUM = {"lr": 0.01}, _RATE | {"momentum": 0.9}
_RMS, _RHO = {"lr": 0.01, "alpha": 0.99, "eps": 1e-8}, {"rho": 0.99, "epsilon": 1e-8}
_LION, _OF_LION = {"lr": 0.01, "betas": (0.9, 0.99)}, {"beta_1": 0.9, "beta_2": 0.99}
CASES = [
    ("sgd", torch.optim.SGD, _SGD, _RATE),
    ("momentum", torch.optim.SGD, _SGD | {"momentum": 0.9}, _MOMENTUM),
    ("nesterov", torch.optim.SGD, _SGD | {"momentum": 0.9, "nesterov": True}, _MOMENTUM),
    ("adamw", torch.optim.AdamW, _OF_ADAM | {"weight_decay": 0.0}, _ADAM),
    ("adamw", torch.optim.AdamW, _OF_ADAM | _DECAY, _ADAM | _DECAY),
    ("adamw", torch.optim.AdamW, _OTHERS | _DECAY, _OTHER | _DECAY),
    ("amsgrad", torch.optim.Adam, _OF_ADAM | {"amsgrad": True}, _ADAM),
    ("amsgrad", torch.optim.AdamW, _OTHERS | _DECAY | {"amsgrad": True}, _OTHER | _DECAY),
    ("nadam", torch.optim.NAdam, _OF_ADAM, _ADAM),
    ("nadam", torch.optim.NAdam, _OTHERS | _DECOUPLED, _OTHER | _DECAY),
    ("radam", torch.optim.RAdam, _OF_ADAM, _ADAM),
    ("radam", torch.optim.RAdam, _OTHERS | _DECOUPLED, _OTHER | _DECAY),
    ("adamax", torch.optim.Adamax, _OF_ADAM, _ADAM),
    ("adamax", torch.optim.Adamax, _OTHERS, _OTHER),
    ("adagrad", torch.optim.Adagrad, {"lr": 0.1, "eps": 1e-10},
     {"learning_rate": 0.1, "epsilon": 1e-10}),
    ("adadelta", torch.optim.Adadelta, {"lr": 1.0, "rho": 0.9, "eps": 1e-6},
     {"learning_rate": 1.0, "rho": 0.9, "epsilon": 1e-6}),
    ("rmsprop", torch.optim.RMSprop, _RMS, _RATE | _RHO),
    ("lion", Lion, _LION, _RATE | _OF_LION),
    ("lion", Lion, _LION | _DECAY, _RATE | _OF_LION | _DECAY),
]  # fmt: skip


def gradients(theta, t):
    """Return the slopes of three parabolas with a disturbance that comes again in 11 steps."""
    return [
        curvature * (x - 1.0) + ((7 * t + 3 * i) % 11 - 5) / 10
        for i, (curvature, x) in enumerate(zip(CURVATURES, theta, strict=True))
    ]


def steps_of(Class, options):
    """Return the parameters after each step of an optimiser."""
    theta = torch.tensor(START, dtype=torch.float64, requires_grad=True)
    optimizer, steps = Class([theta], **options), []
    for t in range(1, N_STEPS + 1):
        theta.grad = torch.tensor(gradients(theta.tolist(), t), dtype=torch.float64)
        optimizer.step()
        steps.append(theta.tolist())
    return steps


def main():
    """Write the file."""
    torch.set_default_dtype(torch.float64)  # in which NAdam keeps a number of its own
    cases = [
        {"name": name, "numbers": numbers, "steps": steps_of(Class, options)}
        for name, Class, options, numbers in CASES
    ]
    document = {
        "torch": torch.__version__.split("+")[0],
        "start": START,
        "curvatures": CURVATURES,
        "cases": cases,
    }
    FILE.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(f"{FILE}: {len(cases)} cases\n")


if __name__ == "__main__":
    main()
