#!/usr/bin/env python3
"""Reference figures from PyTorch: steps of optimizers, and clipping by the global norm, in f64.

    python3 -m venv venv && venv/bin/pip install torch==2.11.0
    venv/bin/python operators/trainer/golden/optimizers.py

writes optimizers.json beside this file. Weights and gradients come from the closed formula of losses.py.
Tensors are flat, row-major lists.
"""
import torch

from losses import FORMULAS as LOSSES, u
from train_step import numbers, write

SHAPES = {"matrix": [3, 4], "vector": [4]}
STEPS = 5
FORMULAS = {
    "u": LOSSES["u"],
    "weights": "before the first step: scale*u(i, 1000+which); which: 0 for the matrix, 1 for the vector; scale: the case's `initial`",
    "gradients": "u(i, 2000+10*step+which), step from 0",
    "weight_decay": "the matrix's alone; the vector's is 0",
    "lars": "matrix: d = g + weight_decay*w, local = trust*|w|/|d|, or 1 where |w| or |d| is 0; vector: d = g, local = 1; v = momentum*v + local*d, from v = 0; w -= lr*v",
    "clip": "gradients scale*u(i, 2000+which), multiplied by min(1, max_norm/(norm + 1e-6)); norm: of both tensors together, before",
}


class Lars(torch.optim.Optimizer):
    """LARS (You 2017) as SimCLR has it: vectors are neither decayed nor scaled."""

    def __init__(self, groups, lr, momentum, trust):
        super().__init__(groups, {"lr": lr, "momentum": momentum, "trust": trust, "weight_decay": 0.0})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for w in group["params"]:
                direction, local = w.grad, 1.0
                if w.dim() > 1:
                    direction = w.grad + group["weight_decay"] * w
                    if w.norm() > 0 and direction.norm() > 0:
                        local = group["trust"] * w.norm() / direction.norm()
                v = self.state[w].get("v", torch.zeros_like(w))
                self.state[w]["v"] = group["momentum"] * v + local * direction
                w -= group["lr"] * self.state[w]["v"]


def formulas(first, scale=1.0):
    return {name: scale * u(shape, first + which) for which, (name, shape) in enumerate(SHAPES.items())}


def case(name, optimizer, weight_decay=0.0, initial=1.0, **parameters):
    weights = {key: made.requires_grad_() for key, made in formulas(1000, initial).items()}
    steps = optimizer([{"params": [weights["matrix"]], "weight_decay": weight_decay},
                       {"params": [weights["vector"]], "weight_decay": 0.0}], **parameters)
    after = {key: [] for key in weights}
    for step in range(STEPS):
        for key, gradient in formulas(2000 + 10 * step).items():
            weights[key].grad = gradient
        steps.step()
        for key, tensor in weights.items():
            after[key].append(numbers(tensor))
    return {"name": name, "initial": initial, "weight_decay": weight_decay} | parameters | after


def clip(scale, max_norm=1.0):
    weights = {key: torch.zeros_like(made, requires_grad=True) for key, made in formulas(1000).items()}
    for key, gradient in formulas(2000, scale).items():
        weights[key].grad = gradient
    norm = torch.nn.utils.clip_grad_norm_(weights.values(), max_norm)
    return {"scale": scale, "max_norm": max_norm, "norm": numbers(norm)} | {
        key: numbers(tensor.grad) for key, tensor in weights.items()}


def main():
    adam = {"lr": 1e-2, "betas": [0.9, 0.999], "eps": 1e-8}
    sgd = {"lr": 0.1, "momentum": 0.9}
    lars = {"momentum": 0.9, "trust": 1e-3}
    write("optimizers.json", {
        "formulas": FORMULAS,
        "shapes": SHAPES,
        "cases": [
            case("adamw", torch.optim.AdamW, weight_decay=0.1, **adam),
            case("adamw", torch.optim.AdamW, weight_decay=0.5, **adam | {"betas": [0.8, 0.95], "eps": 1e-3}),
            case("adam", torch.optim.Adam, **adam),
            case("adam", torch.optim.Adam, weight_decay=0.1, **adam),
            case("sgd", torch.optim.SGD, nesterov=False, **sgd),
            case("sgd", torch.optim.SGD, weight_decay=0.1, nesterov=False, **sgd),
            case("sgd", torch.optim.SGD, nesterov=True, **sgd),
            case("sgd", torch.optim.SGD, weight_decay=0.1, nesterov=True, **sgd),
            case("lars", Lars, weight_decay=0.01, lr=0.3, **lars),
            case("lars", Lars, weight_decay=0.5, lr=0.3, **lars | {"trust": 0.02}),
            case("lars", Lars, weight_decay=0.01, initial=0.0, lr=0.1, **lars),
        ],
        "clip": [clip(1.0), clip(0.25)],
    })


if __name__ == "__main__":
    torch.set_num_threads(1)  # one order of summation
    main()
