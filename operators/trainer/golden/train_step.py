#!/usr/bin/env python3
"""Reference figures from PyTorch: the NT-Xent loss, and one whole training step.

    python3 -m venv venv && venv/bin/pip install torch==2.11.0
    venv/bin/python operators/trainer/golden/train_step.py

writes nt_xent.json and train_step.json beside this file. No input is stored: audio, weights and z
come from the closed formulas below, computed in f64. Where librosa is installed (0.11 was used) the
mel filterbank is compared with its own. Tensors are flat, row-major lists; `shapes` has their shapes.
"""
import importlib.util
import json
import math
import pathlib

import torch
from torch.nn import functional

HERE = pathlib.Path(__file__).parent

RATE, SAMPLES, BATCH = 8000, 2048, 4  # 2 items x 2 views: rows 0, 1 are the first views, 2, 3 the second
N_FFT, HOP, MELS, F_MIN, F_MAX = 256, 128, 16, 50.0, 4000.0
CHANNELS, HIDDEN, PROJECTION = [4, 8], 8, 4
TEMPERATURE, RATE_OF_LEARNING, WEIGHT_DECAY = 0.1, 1e-2, 0.1

FORMULAS = {
    "audio": "x[b][t] = 0.5*sin(2*pi*(110+37*b)*t/8000) + 0.1*sin(0.013*(b+1)*t*t), in f64, then f32",
    "weights": "w[i] = 0.3*sin(0.9*i + k), norm.weight: 1 + 0.1*sin(0.9*i + k); i: flat index, k: index in `names`; in f64, then f32",
    "running": "before the step running_mean is 0 and running_var 1; afterwards they are those of its one forward pass, running_var from the unbiased variance",
    "projections": "the projector's output, before L2 normalisation",
    "loss_after": "train mode, the same batch, the weights after the step",
}
NT_XENT = "z[i] = sin(0.7*i + 0.3 + 0.01*i*i), i: flat index in [2n, dim], rows: all first views, then all second views; f64"


def nt_xent(z, temperature):
    """Cross-entropy of each row's partner among all other rows; rows r and r + n are partners."""
    rows = z.shape[0]
    unit = functional.normalize(z, dim=1)
    similarity = (unit @ unit.T / temperature).masked_fill(torch.eye(rows, dtype=torch.bool), -math.inf)
    return functional.cross_entropy(similarity, (torch.arange(rows) + rows // 2) % rows)


def nt_xent_case(n, dim, temperature):
    i = torch.arange(2 * n * dim, dtype=torch.float64)
    z = torch.sin(0.7 * i + 0.3 + 0.01 * i * i).reshape(2 * n, dim).requires_grad_()
    loss = nt_xent(z, temperature)
    loss.backward()
    return {"n": n, "dim": dim, "temperature": temperature, "loss": numbers(loss), "gradient": numbers(z.grad)}


def audio():
    t = torch.arange(SAMPLES, dtype=torch.float64)
    return torch.stack([0.5 * torch.sin(2 * math.pi * (110 + 37 * b) * t / RATE)
                        + 0.1 * torch.sin(0.013 * (b + 1) * t * t) for b in range(BATCH)])


def mel_filters():
    """[mels, bins]: triangles that are even on the HTK mel scale, peak 1 (no area normalisation)."""
    mel = [2595 * math.log10(1 + f / 700) for f in (F_MIN, F_MAX)]
    edges = 700 * (10 ** (torch.linspace(*mel, MELS + 2, dtype=torch.float64) / 2595) - 1)
    bins = torch.arange(N_FFT // 2 + 1, dtype=torch.float64) * RATE / N_FFT
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    return torch.minimum(rising, falling).clamp(min=0)


def front_end(samples):
    """[batch, samples] -> [batch, 1, mels, frames]."""
    window = torch.hann_window(N_FFT, periodic=True, dtype=torch.float64).to(samples.dtype)
    spectrum = torch.stft(samples, N_FFT, HOP, window=window, center=False, return_complex=True)
    power = spectrum.real.square() + spectrum.imag.square()
    log_mel = torch.log(mel_filters().to(samples.dtype) @ power + 1e-6)
    centred = log_mel - log_mel.mean(dim=(1, 2), keepdim=True)
    return (centred / (centred.square().mean(dim=(1, 2), keepdim=True).sqrt() + 1e-5)).unsqueeze(1)


class Block(torch.nn.Module):
    def __init__(self, before, after):
        super().__init__()
        self.conv = torch.nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False)
        self.norm = torch.nn.BatchNorm2d(after, eps=1e-5, momentum=0.1)

    def forward(self, x):
        return functional.relu(self.norm(self.conv(x)))


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = torch.nn.Module()
        self.encoder.blocks = torch.nn.ModuleList(map(Block, [1, *CHANNELS], CHANNELS))
        self.projector = torch.nn.Module()
        self.projector.input = torch.nn.Linear(CHANNELS[-1], HIDDEN)
        self.projector.output = torch.nn.Linear(HIDDEN, PROJECTION)
        with torch.no_grad():
            for k, (name, tensor) in enumerate(sorted(self.named_parameters())):
                wave = torch.sin(0.9 * torch.arange(tensor.numel(), dtype=torch.float64) + k)
                wave = 1 + 0.1 * wave if name.endswith("norm.weight") else 0.3 * wave
                tensor.copy_(wave.reshape(tensor.shape))

    def forward(self, x):
        """The embeddings and the projections."""
        for block in self.encoder.blocks:
            x = block(x)
        embeddings = x.mean(dim=(2, 3))
        return embeddings, self.projector.output(functional.relu(self.projector.input(embeddings)))


def train_step(dtype=torch.float32):
    model = Model().to(dtype).train()
    parameters = dict(sorted(model.named_parameters()))
    optimizer = torch.optim.AdamW([
        {"params": [p for p in parameters.values() if p.dim() > 1], "weight_decay": WEIGHT_DECAY},
        {"params": [p for p in parameters.values() if p.dim() == 1], "weight_decay": 0.0},
    ], lr=RATE_OF_LEARNING, betas=(0.9, 0.999), eps=1e-8)
    features = front_end(audio().to(dtype))
    embeddings, projections = model(features)
    loss = nt_xent(projections, TEMPERATURE)
    loss.backward()
    optimizer.step()
    after = {name: tensor for name, tensor in sorted(model.state_dict().items()) if tensor.is_floating_point()}
    result = {
        "formulas": FORMULAS,
        "names": list(parameters),
        "shapes": {"front_end": list(features[0].shape), "embeddings": list(embeddings.shape),
                   "projections": list(projections.shape)} | {name: list(t.shape) for name, t in after.items()},
        "front_end": numbers(features[0], digits=7),
        "embeddings": numbers(embeddings),
        "projections": numbers(projections),
        "loss": numbers(loss),
        "gradients": {name: numbers(p.grad) for name, p in parameters.items()},
        "after": {name: numbers(tensor) for name, tensor in after.items()},
    }
    with torch.no_grad():  # last, for it moves the running statistics once more
        result["loss_after"] = numbers(nt_xent(model(features)[1], TEMPERATURE))
    return result


def numbers(tensor, digits=9):
    """Nine significant digits hold an f32 exactly."""
    values = [float(f"{value:.{digits}g}") for value in tensor.detach().flatten().tolist()]
    return values if tensor.dim() else values[0]


def write(name, figures):
    path = HERE / name
    path.write_text(json.dumps({"torch": torch.__version__.split("+")[0]} | figures, separators=(",", ":")) + "\n")
    print(f"{path.name}: {path.stat().st_size} bytes")


def main():
    torch.set_num_threads(1)  # one order of summation
    if importlib.util.find_spec("librosa"):
        import librosa
        peer = librosa.filters.mel(sr=RATE, n_fft=N_FFT, n_mels=MELS, fmin=F_MIN, fmax=F_MAX, htk=True, norm=None)
        difference = (mel_filters() - torch.from_numpy(peer)).abs().max().item()
        print(f"mel filterbank: {difference:.1e} from librosa's at most")
        assert difference < 1e-6
    cases = [(2, 4, 0.5), (2, 16, 0.1), (3, 4, 0.1), (3, 16, 1.0), (8, 4, 1.0), (8, 16, 0.5)]
    write("nt_xent.json", {"z": NT_XENT, "cases": [nt_xent_case(*case) for case in cases]})
    write("train_step.json", train_step())


if __name__ == "__main__":
    main()
