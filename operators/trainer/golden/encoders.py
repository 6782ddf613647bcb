#!/usr/bin/env python3
"""Reference figures from PyTorch: small encoders from audio to embedding, and back to the weights.

    python3 -m venv venv && venv/bin/pip install torch==2.11.0 transformers==5.24.0
    venv/bin/python operators/trainer/golden/encoders.py

writes encoders.json beside this file. No input is stored: audio and weights come from closed formulas, rounded
to f32; the pass itself is in f64, and `f32` says how far PyTorch's own f32 pass is from it. wav2vec2 is the
model of transformers, the others are written out here. Tensors are flat, row-major lists.
"""
import math

import torch
import transformers
from torch import nn
from torch.nn import functional

from losses import FORMULAS as LOSSES, u
from train_step import F_MAX, F_MIN, HOP, MELS, N_FFT, RATE, front_end, numbers, write

BATCH = 3
GAINS = ("norm.weight", "norm1.weight", "norm2.weight", "bn1.weight", "bn2.weight", "downsample.1.weight", "original0")
FORMULAS = {
    "u": LOSSES["u"],
    "audio": "x[b][t] = 0.5*sin(2*pi*(110+37*b)*t/8000) + 0.1*sin(0.013*(b+1)*t*t), in f64, then f32",
    "weights": "i: flat index, k: index in `tensors` (sorted by name). Gains: 1 + 0.1*u(i,k); other tensors of rank 1: 0.1*u(i,k); all others: u(i,k)*sqrt(3/fan_in), fan_in = product of shape[1..]; in f64, then f32",
    "gains": "names that end in one of " + ", ".join(GAINS),
    "running": "running_mean is 0 and running_var 1 before the pass; `running` has their sums after it",
    "loss": "sum over i of embedding[i]*u(i,7777), by the number of elements",
    "gradients": "g = sum over i of gradient[i]*u(i,8888), norm = the L2 norm; below 1e-13, so 0 but for rounding, they are 0",
    "f32": "of an f32 pass: largest difference of an embedding's element; largest norm(difference)/(norm + 1e-3) of a tensor's gradient",
    "front_end": "log(power mel + 1e-6), standardised per clip: train_step.py's",
}


def audio(samples):
    t = torch.arange(samples, dtype=torch.float64)
    return torch.stack([0.5 * torch.sin(2 * math.pi * (110 + 37 * b) * t / RATE)
                        + 0.1 * torch.sin(0.013 * (b + 1) * t * t) for b in range(BATCH)]).float()


class SampleCnn(nn.Module):
    """Lee 2017, as CLMR has it: 3 samples a step, then thirds at each pooling; [batch, samples]."""

    def __init__(self, channels, output):
        super().__init__()
        sizes = [1, *channels, output]
        self.layers = nn.ModuleList(
            nn.ModuleDict({"conv": nn.Conv1d(before, after, 3, stride=1 if i else 3, padding=1 if i else 0),
                           "norm": nn.BatchNorm1d(after)})
            for i, (before, after) in enumerate(zip(sizes, sizes[1:])))

    def forward(self, x):
        x = x.unsqueeze(1)
        for i, layer in enumerate(self.layers):
            x = functional.relu(layer["norm"](layer["conv"](x)))
            if 0 < i < len(self.layers) - 1:
                x = functional.max_pool1d(x, 3)
        return x.mean(dim=2)


class Block(nn.Module):
    """ResNet's basic block, with torchvision's names."""

    def __init__(self, before, after, stride, downsample):
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        shortcut = [nn.Conv2d(before, after, 1, stride=stride, bias=False), nn.BatchNorm2d(after)]
        self.downsample = nn.Sequential(*(shortcut if downsample else []))

    def forward(self, x):
        y = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
        return functional.relu(y + self.downsample(x))


class Vggish(nn.Module):
    """Residual blocks, each halved by pooling."""

    def __init__(self, channels):
        super().__init__()
        self.blocks = nn.ModuleList(Block(before, after, 1, True) for before, after in zip([1, *channels], channels))

    def forward(self, samples):
        x = front_end(samples)
        for block in self.blocks:
            x = functional.max_pool2d(block(x), 2)
        return x.mean(dim=(2, 3))


class ResNet18(nn.Module):
    """torchvision's, of one input channel and without its last layer."""

    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(1, channels[0], 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(channels[0])
        for i, (before, after) in enumerate(zip([channels[0], *channels], channels)):
            stride = 2 if i else 1
            first = Block(before, after, stride, stride > 1 or before != after)
            setattr(self, f"layer{i + 1}", nn.Sequential(first, Block(after, after, 1, False)))

    def forward(self, samples):
        x = functional.relu(self.bn1(self.conv1(front_end(samples))))
        x = functional.max_pool2d(x, 3, stride=2, padding=1)
        return self.layer4(self.layer3(self.layer2(self.layer1(x)))).mean(dim=(2, 3))


def positions(rows, columns, dim):
    """[rows * columns, dim]: sin x, cos x, sin y, cos y; a quarter of the dimensions each."""
    omega = 1 / 10000 ** (torch.arange(dim // 4, dtype=torch.float64) / (dim // 4 - 1))
    y, x = (axis.flatten()[:, None] * omega
            for axis in torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij"))
    return torch.cat([x.sin(), x.cos(), y.sin(), y.cos()], dim=1)


class Vit(nn.Module):
    """SimpleViT (Beyer 2022) on a spectrogram; with several patch sizes one transformer serves them all, and
    the embeddings stand side by side (Myna's hybrid)."""

    def __init__(self, patches, dim, depth, heads, head_dim, mlp):
        super().__init__()
        self.patches, self.heads, inner = patches, heads, heads * head_dim
        self.embeddings = nn.ModuleList(
            nn.ModuleDict({"norm1": nn.LayerNorm(h * w), "projection": nn.Linear(h * w, dim),
                           "norm2": nn.LayerNorm(dim)}) for h, w in patches)
        self.layers = nn.ModuleList(
            nn.ModuleDict({"norm1": nn.LayerNorm(dim), "qkv": nn.Linear(dim, 3 * inner, bias=False),
                           "out": nn.Linear(inner, dim, bias=False), "norm2": nn.LayerNorm(dim),
                           "linear1": nn.Linear(dim, mlp), "linear2": nn.Linear(mlp, dim)}) for _ in range(depth))
        self.norm = nn.LayerNorm(dim)

    def attention(self, layer, x):
        # each [batch, heads, tokens, head_dim]
        q, k, v = layer["qkv"](x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        weights = functional.softmax(q @ k.mT / math.sqrt(q.shape[-1]), dim=-1)
        return layer["out"]((weights @ v).transpose(1, 2).flatten(2))

    def embed(self, image, size, embedding):
        (h, w), (rows, columns) = size, (image.shape[1] // size[0], image.shape[2] // size[1])
        grid = image[:, :rows * h, :columns * w].reshape(-1, rows, h, columns, w)
        patches = grid.transpose(2, 3).reshape(-1, rows * columns, h * w)
        x = embedding["norm2"](embedding["projection"](embedding["norm1"](patches)))
        return self.through(x + positions(rows, columns, x.shape[2]).to(x.dtype)).mean(dim=1)

    def through(self, x):
        for layer in self.layers:
            x = x + self.attention(layer, layer["norm1"](x))
            x = x + layer["linear2"](functional.gelu(layer["linear1"](layer["norm2"](x))))
        return self.norm(x)

    def forward(self, samples):
        image = front_end(samples).squeeze(1)
        return torch.cat([self.embed(image, *each) for each in zip(self.patches, self.embeddings)], dim=1)


class Transformer(Vit):
    """Frames of the front-end to vectors, a learned one where (clip + frame) % 5 is 0, sines and cosines of their
    places (Vaswani et al. 2017, section 3.5), pre-norm blocks; [batch, samples]."""

    def __init__(self, dim, depth, heads, head_dim, mlp):
        super().__init__([], dim, depth, heads, head_dim, mlp)
        self.projection = nn.Linear(MELS, dim)
        self.mask_token = nn.Parameter(torch.zeros(dim))

    def forward(self, samples):
        frames = self.projection(front_end(samples).squeeze(1).transpose(1, 2))
        batch, count, dim = frames.shape
        masked = (torch.arange(batch).unsqueeze(1) + torch.arange(count)) % 5 == 0
        frames = torch.where(masked.unsqueeze(-1), self.mask_token, frames)
        phase = torch.arange(count).unsqueeze(1) / 10000 ** (torch.arange(0, dim, 2, dtype=torch.float64) / dim)
        waves = torch.stack([phase.sin(), phase.cos()], dim=-1).flatten(1)
        self.frames = self.through(frames + waves.to(frames.dtype))
        return self.frames.mean(dim=1)


class Wav2Vec2(transformers.Wav2Vec2Model):
    """Here as everywhere the embedding is the mean of the frames; no masking, and so no masked_spec_embed."""

    def __init__(self, **config):
        super().__init__(transformers.Wav2Vec2Config(**config, mask_time_prob=0.0, layerdrop=0.0))

    def forward(self, samples):
        self.frames = super().forward(samples).last_hidden_state
        return self.frames.mean(dim=1)


def fill(model):
    """The formula's weights, as f32."""
    for k, (name, tensor) in enumerate(sorted(model.named_parameters())):
        wave = u(tensor.shape, k)
        if name.endswith(GAINS):
            wave = 1 + 0.1 * wave
        else:
            wave = 0.1 * wave if tensor.dim() == 1 else wave * math.sqrt(3 / tensor[0].numel())
        tensor.data.copy_(wave)
    return model


def run(kind, config, samples, train, dtype):
    model = fill(kind(**config)).to(dtype).train(train)
    embedding = model(audio(samples).to(dtype))
    loss = (embedding.double().flatten() * u([embedding.numel()], 7777)).sum() / embedding.numel()
    loss.backward()
    return model, embedding, loss, {name: p.grad.double() for name, p in sorted(model.named_parameters())}


def snapped(tensor):
    return numbers(torch.where(tensor.abs() < 1e-13, 0.0, tensor))


def case(kind, samples, train=True, **config):
    model, embedding, loss, gradients = run(kind, config, samples, train, torch.float64)
    _, rough, _, rough_gradients = run(kind, config, samples, train, torch.float32)
    apart = [(rough_gradients[name] - g).norm() / (g.norm() + 1e-3) for name, g in gradients.items()]
    result = {
        "config": config,
        "batch": BATCH,
        "samples": samples,
        "mode": "train" if train else "eval",
        "parameters": sum(g.numel() for g in gradients.values()),
        "shape": list(embedding.shape),
        "embedding": numbers(embedding),
        "loss": numbers(loss),
        "tensors": [{"name": name, "shape": list(g.shape), "g": snapped((g.flatten() * u([g.numel()], 8888)).sum()),
                     "norm": snapped(g.norm())} for name, g in gradients.items()],
        "running": [{"name": name, "shape": list(tensor.shape), "sum": numbers(tensor.sum())}
                    for name, tensor in sorted(model.named_buffers()) if "running" in name],
        "f32": {"embedding": numbers((rough - embedding).abs().max(), 2), "gradients": numbers(max(apart), 2)},
    }
    if hasattr(model, "frames"):
        result["frames"] = {"shape": list(model.frames.shape), "first": numbers(model.frames.flatten()[:64])}
    return result


def full_size():
    with torch.device("meta"):
        models = {
            "sample_cnn": SampleCnn([128] * 3 + [256] * 6 + [512], 512),
            "vit": Vit([(16, 16)], dim=384, depth=12, heads=6, head_dim=64, mlp=1536),
            "resnet18": ResNet18([64, 128, 256, 512]),
            "wav2vec2": Wav2Vec2(),
        }
    counts = {name: sum(p.numel() for p in model.parameters()) for name, model in models.items()}
    assert counts["sample_cnn"] == 2_368_512  # CLMR's
    # torchvision's has 3 channels and 1000 classes
    assert counts["resnet18"] == 11_689_512 - (512 + 1) * 1000 - 2 * 64 * 7 * 7
    return counts | {"wav2vec2_with_masked_spec_embed": counts["wav2vec2"] + 768}


def main():
    torch.set_num_threads(1)  # one order of summation
    vit = {"dim": 16, "depth": 2, "heads": 2, "head_dim": 8, "mlp": 32}
    wav2vec2 = {
        "conv_dim": [8, 8, 8], "conv_kernel": [10, 3, 2], "conv_stride": [5, 2, 2], "hidden_size": 16,
        "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32, "num_conv_pos_embeddings": 8,
        "num_conv_pos_embedding_groups": 2,
    }
    write("encoders.json", {
        "transformers": transformers.__version__,
        "formulas": FORMULAS,
        "front_end": {"rate": RATE, "n_fft": N_FFT, "hop": HOP, "n_mels": MELS, "f_min": F_MIN, "f_max": F_MAX},
        "encoders": {
            "sample_cnn": case(SampleCnn, 243, channels=[4, 5, 6], output=7),
            "sample_cnn_odd": case(SampleCnn, 301, channels=[4, 5, 6], output=7),
            "vggish": case(Vggish, 2048, channels=[3, 4, 5]),
            "resnet18": case(ResNet18, 8000, channels=[4, 6, 8, 10]),
            "vit": case(Vit, 2048, patches=[[8, 4]], **vit),
            "vit_hybrid": case(Vit, 2048, patches=[[8, 4], [16, 2]], **vit),
            "wav2vec2": case(Wav2Vec2, 1000, train=False, **wav2vec2),
            "transformer": case(Transformer, 2048, **vit),
        },
        "full_size": full_size(),
    })


if __name__ == "__main__":
    main()
