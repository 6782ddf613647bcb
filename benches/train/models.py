"""The models that both sides time: Étude's parameters, and the same layers in PyTorch."""
import pathlib
import sys

import torch
from torch import nn
from torch.nn import functional

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "operators/trainer/golden"))
import encoders  # noqa: E402
import train_step  # noqa: E402

RATE = 16_000
MEL = {"n_fft": 512, "hop": 160, "n_mels": 64}
BASE = {"objective": {"nt_xent": {"temperature": 0.1}}, "projector": {"hidden": 256, "outputs": 64},
        "optimizer": {"adam_w": {"learning_rate": 1e-3, "weight_decay": 0.01}}, "schedule": {"constant": {}}, "epochs": 1}

# name -> (encoder in YAML's terms, samples of a view, clips of a batch)
MODELS = {
    "SampleCNN": ({"sample_cnn": {}}, 59_049, 16),
    "ViT-192×6": ({"vit": {"mel": MEL, "patches": [[16, 8]], "dim": 192, "depth": 6, "heads": 3, "head_dim": 64,
                           "mlp": 768}}, 48_000, 8),
    "ResNet-18": ({"resnet18": {"mel": MEL}}, 48_000, 8),
    "wav2vec 2.0 (small)": ({"wav2vec2": {"channels": [128] * 7, "dim": 192, "depth": 6, "heads": 3, "mlp": 768,
                                          "positions": 64, "position_groups": 8, "dropout": 0.0, "layer_drop": 0.0,
                                          "feature_gradient": 1.0}}, 48_000, 8),
}


def job(name, steps, threads, precision="f32"):
    """What the worker is to time."""
    encoder, samples, clips = MODELS[name]
    train = BASE | {"encoder": encoder, "batch": clips, "precision": precision}
    return {"train": train, "rate": RATE, "samples": samples, "views": 2, "steps": steps, "threads": threads}


class FrontEnd(nn.Module):
    """Étude's spectrogram: its filterbank and window are constants of the module."""

    def __init__(self):
        super().__init__()
        train_step.RATE, train_step.N_FFT, train_step.MELS = RATE, MEL["n_fft"], MEL["n_mels"]
        train_step.F_MIN, train_step.F_MAX = 0.0, RATE / 2
        self.register_buffer("filters", train_step.mel_filters().float())
        self.register_buffer("window", torch.hann_window(MEL["n_fft"]))

    @torch.no_grad()
    def forward(self, samples):
        spectrum = torch.stft(samples, MEL["n_fft"], MEL["hop"], window=self.window, center=False, return_complex=True)
        bands = torch.log(self.filters @ (spectrum.real.square() + spectrum.imag.square()) + 1e-6)
        centred = bands - bands.mean(dim=(1, 2), keepdim=True)
        return (centred / (centred.square().mean(dim=(1, 2), keepdim=True).sqrt() + 1e-5)).unsqueeze(1)


class Vit(encoders.Vit):
    """As people write it: scaled_dot_product_attention, positions made once."""

    def __init__(self, front, **sizes):
        super().__init__(**sizes)
        self.front = front

    def attention(self, layer, x):
        q, k, v = layer["qkv"](x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return layer["out"](functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))

    def forward(self, samples):
        image = self.front(samples).squeeze(1)
        return self.embed(image, self.patches[0], self.embeddings[0])


class Wav2vec2(nn.Module):
    """transformers' model, the mean over its frames."""

    def __init__(self, parameters):
        super().__init__()
        import transformers
        config = transformers.Wav2Vec2Config(
            conv_dim=parameters["channels"], hidden_size=parameters["dim"], num_hidden_layers=parameters["depth"],
            num_attention_heads=parameters["heads"], intermediate_size=parameters["mlp"],
            num_conv_pos_embeddings=parameters["positions"],
            num_conv_pos_embedding_groups=parameters["position_groups"], hidden_dropout=0.0, attention_dropout=0.0,
            activation_dropout=0.0, feat_proj_dropout=0.0, layerdrop=0.0, mask_time_prob=0.0, mask_feature_prob=0.0)
        self.model = transformers.Wav2Vec2Model(config)

    def forward(self, samples):
        return self.model(samples).last_hidden_state.mean(dim=1)


def encoder(name):
    """The PyTorch model and the width of its vectors."""
    (kind, parameters), = MODELS[name][0].items()
    if kind == "sample_cnn":
        return encoders.SampleCnn([128, 128, 128, 256, 256, 256, 256, 256, 256, 512], 512), 512
    if kind == "resnet18":
        encoders.front_end = FrontEnd()
        return encoders.ResNet18([64, 128, 256, 512]), 512
    if kind == "vit":
        sizes = {name: parameters[name] for name in ("patches", "dim", "depth", "heads", "head_dim", "mlp")}
        return Vit(FrontEnd(), **sizes), parameters["dim"]
    return Wav2vec2(parameters), parameters["dim"]


class Model(nn.Module):
    def __init__(self, name):
        super().__init__()
        self.encoder, width = encoder(name)
        self.projector = nn.Sequential(nn.Linear(width, 256), nn.ReLU(), nn.Linear(256, 64))

    def forward(self, samples):
        return self.projector(self.encoder(samples))
