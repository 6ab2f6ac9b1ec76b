"""Make the steps and learning rates of PyTorch's that tests compare with.

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


# What is clipped: some gradients are, and others are not.
CLIPPED = [{"clip_value": 0.4}, {"clip_norm": 0.6}, {"clip_value": 0.4, "clip_norm": 0.5}]
# Schedulers, whose steps are batches here, by our parameters.
_SCHEDULERS = torch.optim.lr_scheduler
RATES = [
    ({"learning_rate": "cosine"},
     lambda optimizer: _SCHEDULERS.CosineAnnealingLR(optimizer, T_max=N_STEPS)),
    ({"learning_rate": "exponential", "learning_rate_factor": 0.1},
     lambda optimizer: _SCHEDULERS.ExponentialLR(optimizer, gamma=0.1 ** (1 / N_STEPS))),
    ({"learning_rate": "steps", "learning_rate_factor": 0.3,
      "learning_rate_steps": [0.2, 0.9]},
     lambda optimizer: _SCHEDULERS.MultiStepLR(
         optimizer, [N_STEPS // 5, N_STEPS * 9 // 10], gamma=0.3)),
    ({"learning_rate": "one_cycle"},
     lambda optimizer: _SCHEDULERS.OneCycleLR(
         optimizer, 0.5, total_steps=N_STEPS, cycle_momentum=False)),
    ({"learning_rate": "one_cycle", "learning_rate_warmup": 0.6},
     lambda optimizer: _SCHEDULERS.OneCycleLR(
         optimizer, 0.5, total_steps=N_STEPS, pct_start=0.6, cycle_momentum=False)),
]  # fmt: skip


def gradients(theta, t):
    """Return the slopes of three parabolas with a disturbance that comes again in 11 steps."""
    return [
        curvature * (x - 1.0) + ((7 * t + 3 * i) % 11 - 5) / 10
        for i, (curvature, x) in enumerate(zip(CURVATURES, theta, strict=True))
    ]


def steps_of(Class, options, clip_value=None, clip_norm=None):
    """Return the parameters after each step of an optimiser."""
    theta = torch.tensor(START, dtype=torch.float64, requires_grad=True)
    optimizer, steps = Class([theta], **options), []
    for t in range(1, N_STEPS + 1):
        theta.grad = torch.tensor(gradients(theta.tolist(), t), dtype=torch.float64)
        if clip_value is not None:
            torch.nn.utils.clip_grad_value_([theta], clip_value)
        if clip_norm is not None:
            torch.nn.utils.clip_grad_norm_([theta], clip_norm)
        optimizer.step()
        steps.append(theta.tolist())
    return steps


def rates_of(make):
    """Return the learning rate of each step, by the scheduler that `make` makes."""
    theta = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.SGD([theta], lr=0.5)
    scheduler, rates = make(optimizer), []
    for _ in range(N_STEPS):
        rates.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        scheduler.step()
    return rates


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
        "clipped": [
            options | {"steps": steps_of(torch.optim.SGD, _SGD, **options)}
            for options in CLIPPED
        ],
        "rates": [parameters | {"rates": rates_of(make)} for parameters, make in RATES],
    }
    FILE.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(f"{FILE}: {len(cases)} cases\n")


if __name__ == "__main__":
    main()
