#!/usr/bin/env python3
"""Reference figures from PyTorch: losses and their gradients, in f64.

    python3 -m venv venv && venv/bin/pip install torch==2.11.0
    venv/bin/python operators/trainer/golden/losses.py

writes losses.json beside this file. Each loss is written plainly from its paper (or from the authors' code,
where it says so). No input is stored: all come from the closed formula of `u`. Tensors are flat, row-major
lists. NT-Xent is in train_step.py.
"""
import math

import torch
from torch.nn import functional

from train_step import numbers, write

FORMULAS = {
    "u": "u(i,k) = 2*frac(abs(sin((i*12.9898 + k*78.233) + 1.0) * 43758.5453)) - 1, frac(x) = x - floor(x); in f64, summed in this order",
    "inputs": "offset + scale*u(i, 1000+seed), i: flat index in `shape`; scale is 1 and offset 0 where absent; then row `to` becomes row `from` for each [to, from] of `copies`, and the elements of `zeros` become 0; an input with `value` is that number",
    "beside": "what the loss gives besides: parts of it, or the state after the step",
    "gradients": "of the loss, with respect to the input as it is after `copies` and `zeros`",
}


def u(shape, k):
    """Values in [-1, 1) that are even enough to stand for random ones."""
    i = torch.arange(math.prod(shape), dtype=torch.float64)
    wave = (torch.sin(i * 12.9898 + k * 78.233 + 1.0) * 43758.5453).abs()
    return (2 * (wave - wave.floor()) - 1).reshape(shape)


def cosine(a, b):
    return functional.cosine_similarity(a, b, dim=-1)


def info_nce(c, q, negatives, temperature):
    """wav2vec 2.0 (Baevski 2020), equation 3, the mean over frames. The frame's own target is candidate 0;
    a negative that equals it is no candidate."""
    candidates = q[torch.tensor(negatives)]  # [n, K, d]
    positive = q.unsqueeze(1)
    logits = cosine(c.unsqueeze(1), torch.cat([positive, candidates], dim=1)) / temperature
    same = torch.cat([torch.zeros(len(q), 1, dtype=torch.bool), (candidates == positive).all(dim=-1)], dim=1)
    return functional.cross_entropy(logits.masked_fill(same, -math.inf), torch.zeros(len(q), dtype=torch.long))


def clip(a, b, log_scale):
    """CLIP (Radford 2021), figure 3: scale = exp(log_scale), the mean of both directions."""
    logits = log_scale.exp() * functional.normalize(a, dim=1) @ functional.normalize(b, dim=1).T
    own = torch.arange(len(a))
    return (functional.cross_entropy(logits, own) + functional.cross_entropy(logits.T, own)) / 2


def multi_positive_nce(z, labels, temperature):
    """SupCon (Khosla 2020), equation 2 (L_out), of L2-normalised z. The mean is over anchors with a positive."""
    labels, itself = torch.tensor(labels), torch.eye(len(z), dtype=torch.bool)
    unit = functional.normalize(z, dim=1)
    logits = (unit @ unit.T / temperature).masked_fill(itself, -math.inf)
    log_probability = logits - logits.logsumexp(dim=1, keepdim=True)
    positive = (labels[:, None] == labels) & ~itself
    has = positive.any(dim=1)
    log_likelihood = torch.where(positive, log_probability, 0.0).sum(dim=1)[has] / positive.sum(dim=1)[has]
    return -log_likelihood.mean()


def sogclr(z1, z2, u, gamma, temperature, epsilon):
    """SogCLR (Yuan 2022), its dynamic contrastive loss. Anchors: the n rows of z1, then those of z2; s: cosines.
    Of anchor i, the 2(n-1) negatives j are all rows but itself and its partner:

        g_i    = mean_j exp(s_ij/temperature)
        u_i    = (1-gamma)*u_i + gamma*g_i, or g_i where u_i was 0
        p_ij   = exp(s_ij/temperature) / (u_i + epsilon), without gradient
        loss_i = mean_j p_ij*s_ij - s_i,partner

    and the loss is the mean over the 2n anchors. Here u is [2, n]: one for each side. The authors' code keeps
    one u for both sides, and adds the sides' losses: theirs is twice this."""
    n = len(z1)
    unit = functional.normalize(torch.cat([z1, z2]), dim=1)
    s = unit @ unit.T
    rows = torch.arange(2 * n)
    partner = (rows + n) % (2 * n)
    negative = (rows[:, None] != rows) & (partner[:, None] != rows)
    exponential = torch.where(negative, torch.exp(s / temperature), 0.0).detach()
    g = exponential.sum(dim=1) / (2 * (n - 1))
    before = u.flatten()
    after = torch.where(before == 0, g, (1 - gamma) * before + gamma * g)
    p = exponential / (after[:, None] + epsilon)
    loss = ((p * s).sum(dim=1) / (2 * (n - 1)) - s[rows, partner]).mean()
    return loss, {"u": after}


def byol(p, z):
    """BYOL (Grill 2020), equation 2, the mean over rows."""
    return (2 - 2 * cosine(p, z.detach())).mean()


def simsiam(p1, z1, p2, z2):
    """SimSiam (Chen 2021), equation 4."""
    return -(cosine(p1, z2.detach()).mean() + cosine(p2, z1.detach()).mean()) / 2


def barlow(z1, z2, off_diagonal, epsilon):
    """Barlow Twins (Zbontar 2021), with the batch norm of the authors' code: biased variance plus epsilon."""
    standard = [(z - z.mean(dim=0)) / (z.var(dim=0, unbiased=False) + epsilon).sqrt() for z in (z1, z2)]
    c = standard[0].T @ standard[1] / len(z1)
    on = (c.diagonal() - 1).square().sum()
    return on + off_diagonal * (c.square().sum() - c.diagonal().square().sum())


def vicreg(z1, z2, invariance, variance, covariance, epsilon):
    """VICReg (Bardes 2022), as in the authors' code: the variances halved, unbiased, epsilon inside the root."""
    n, d = z1.shape
    parts = {"invariance": functional.mse_loss(z1, z2), "variance": 0.0, "covariance": 0.0}
    for z in (z1, z2):
        parts["variance"] += functional.relu(1 - (z.var(dim=0) + epsilon).sqrt()).mean() / 2
        centred = z - z.mean(dim=0)
        matrix = centred.T @ centred / (n - 1)
        parts["covariance"] += (matrix.square().sum() - matrix.diagonal().square().sum()) / d
    loss = invariance * parts["invariance"] + variance * parts["variance"] + covariance * parts["covariance"]
    return loss, parts


def dino(s1, s2, t1, t2, centre, student_temperature, teacher_temperature, momentum):
    """DINO (Caron 2021), algorithm 1: the mean of (t1, s2) and (t2, s1), and the next centre."""
    def pair(teacher, student):
        target = functional.softmax((teacher - centre) / teacher_temperature, dim=1).detach()
        return -(target * functional.log_softmax(student / student_temperature, dim=1)).sum(dim=1).mean()
    after = momentum * centre + (1 - momentum) * torch.cat([t1, t2]).mean(dim=0)
    return (pair(t1, s2) + pair(t2, s1)) / 2, {"centre": after}


def masked_cross_entropy(logits, codes, mask):
    """HuBERT (Hsu 2021), equation 1 with alpha 1: the mean over masked frames."""
    mask = torch.tensor(mask, dtype=torch.bool)
    return functional.cross_entropy(logits[mask], torch.tensor(codes)[mask])


def masked_mse(x, y, mask):
    """The mean over masked frames and their dimensions; no gradient for the target y."""
    mask = torch.tensor(mask, dtype=torch.bool)
    return functional.mse_loss(x[mask], y.detach()[mask])


def diversity(logits):
    """wav2vec 2.0's, in the form of fairseq: (G*V - sum over groups of the perplexity) / (G*V); logits [n, G, V]."""
    p = functional.softmax(logits, dim=-1).mean(dim=0)
    perplexity = torch.exp(-torch.xlogy(p, p).sum(dim=-1))
    return (p.numel() - perplexity.sum()) / p.numel(), {"perplexity": perplexity}


def feature_penalty(x):
    """wav2vec 2.0's penalty on the features before quantisation: their mean square."""
    return x.square().mean()


def tensor(shape=None, seed=None, scale=1.0, offset=0.0, copies=(), zeros=(), value=None):
    if value is not None:
        return torch.tensor(value, dtype=torch.float64)
    made = offset + scale * u(shape, 1000 + seed)
    for to, origin in copies:
        made[to] = made[origin]
    made.view(-1)[list(zeros)] = 0.0
    return made


def case(loss, inputs, constant=(), **parameters):
    """`constant`: inputs that the loss gives no gradient."""
    tensors = {name: tensor(**made).requires_grad_(name not in constant) for name, made in inputs.items()}
    result = loss(**tensors, **parameters)
    value, beside = result if isinstance(result, tuple) else (result, {})
    value.backward()
    gradients = {name: numbers(made.grad) for name, made in tensors.items() if made.requires_grad}
    return {"inputs": inputs, "parameters": parameters, "loss": numbers(value), "gradients": gradients,
            "beside": {name: numbers(made) for name, made in beside.items()}}


def shaped(names, *shape, first=1, **more):
    """One input a name, with seeds from `first` on."""
    return {name: {"shape": list(shape), "seed": first + k} | more for k, name in enumerate(names.split())}


def cases():
    masks = [[1, 0, 1, 1, 0], [0, 0, 1, 0, 0, 1, 1]]
    others = lambda n, k: [[(i + 1 + (i + 2 * j) % (n - 1)) % n for j in range(k)] for i in range(n)]
    copies = {"q": {"shape": [5, 3], "seed": 2, "copies": [[3, 1], [4, 0]]}}
    own = [[0, 2, 3], [3, 0, 2], [1, 2, 4], [0, 4, 2], [1, 3, 4]]  # some are i itself, some its copy
    coefficients = {"invariance": 25.0, "variance": 25.0, "covariance": 1.0, "epsilon": 1e-4}
    temperatures = {"student_temperature": 0.1, "teacher_temperature": 0.04, "momentum": 0.9}
    sog = {"gamma": 0.9, "temperature": 0.1, "epsilon": 1e-8}
    return {
        "info_nce": [
            case(info_nce, shaped("c q", 5, 3), negatives=others(5, 3), temperature=0.1),
            case(info_nce, shaped("c q", 7, 4), negatives=others(7, 4), temperature=0.5),
            case(info_nce, shaped("c", 5, 3) | copies, negatives=own, temperature=0.1),
        ],
        "clip": [
            case(clip, shaped("a b", n, d) | {"log_scale": {"value": scale}})
            for n, d, scale in [(4, 3, 2.65926), (5, 7, 0.0)]
        ],
        "multi_positive_nce": [
            case(multi_positive_nce, shaped("z", len(labels), d), labels=labels, temperature=temperature)
            for labels, d, temperature in [([0, 0, 1, 1], 3, 0.1), ([2, 0, 1, 0, 3, 1, 0], 5, 0.5)]
        ],
        "sogclr": [
            case(sogclr, shaped("z1 z2", n, d) | {"u": {"shape": [2, n], "seed": 3} | state}, ("u",), **parameters)
            for n, d, state, parameters in [
                (4, 3, {"scale": 0.0}, sog),
                (4, 3, {"offset": 3.0, "scale": 2.0}, sog),
                (5, 4, {"offset": 3.0, "scale": 2.0, "zeros": [2, 5]}, sog | {"gamma": 0.2, "temperature": 0.5}),
            ]
        ],
        "byol": [case(byol, shaped("p z", n, d), ("z",)) for n, d in [(4, 3), (5, 7)]],
        "simsiam": [case(simsiam, shaped("p1 z1 p2 z2", n, d), ("z1", "z2")) for n, d in [(4, 3), (5, 7)]],
        "barlow": [
            case(barlow, shaped("z1 z2", n, d), off_diagonal=weight, epsilon=1e-5)
            for n, d, weight in [(4, 3, 0.0051), (7, 5, 0.1)]
        ],
        "vicreg": [
            case(vicreg, shaped("z1 z2", 4, 3), **coefficients),
            case(vicreg, shaped("z1 z2", 7, 5, scale=1.7), **coefficients),
            case(vicreg, shaped("z1 z2", 5, 4, scale=2.0),
                 invariance=1.0, variance=2.0, covariance=0.5, epsilon=1e-4),
        ],
        "dino": [
            case(dino, shaped("s1 s2 t1 t2", n, d, scale=scale) | shaped("centre", d, first=5, scale=0.1),
                 ("t1", "t2", "centre"), **temperatures | {"teacher_temperature": teacher})
            for n, d, scale, teacher in [(4, 5, 0.2, 0.04), (3, 7, 1.0, 0.07)]
        ],
        "masked_cross_entropy": [
            case(masked_cross_entropy, shaped("logits", len(mask), v, scale=3.0),
                 codes=[(3 * i + 1) % v for i in range(len(mask))], mask=mask)
            for mask, v in zip(masks, [4, 5])
        ],
        "masked_mse": [
            case(masked_mse, shaped("x y", len(mask), d), ("y",), mask=mask) for mask, d in zip(masks, [3, 4])
        ],
        "diversity": [case(diversity, shaped("logits", *shape, scale=3.0)) for shape in [(5, 2, 4), (3, 1, 7)]],
        "feature_penalty": [case(feature_penalty, shaped("x", *shape, scale=2.0)) for shape in [(4, 3), (2, 5, 3)]],
    }


if __name__ == "__main__":
    torch.set_num_threads(1)  # one order of summation
    write("losses.json", {"formulas": FORMULAS, "losses": cases()})
