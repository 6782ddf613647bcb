#!/usr/bin/env python3
"""A small Wav2Vec2Model as Hugging Face saves it, and what it gives.

    python3 -m venv venv && venv/bin/pip install torch==2.11.0 transformers==5.24.0
    venv/bin/python operators/trainer/golden/hugging_face.py

writes hugging_face.safetensors (weights as transformers draws them) and hugging_face.json (its last hidden state for
encoders.py's audio, 1000 samples) beside this file.
"""
import pathlib
import shutil
import tempfile

import torch
from transformers import Wav2Vec2Config, Wav2Vec2Model

from encoders import audio
from train_step import HERE, numbers, write


def main():
    torch.manual_seed(1)
    config = Wav2Vec2Config(
        conv_dim=(8, 8, 8), conv_kernel=(10, 3, 2), conv_stride=(5, 2, 2), hidden_size=16, num_hidden_layers=1,
        num_attention_heads=2, intermediate_size=16, num_conv_pos_embeddings=8, num_conv_pos_embedding_groups=4)
    model = Wav2Vec2Model(config).eval()
    with torch.no_grad():
        hidden = model(audio(1000)).last_hidden_state
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        shutil.copyfile(pathlib.Path(folder) / "model.safetensors", HERE / "hugging_face.safetensors")
    write("hugging_face.json", {"shape": list(hidden.shape), "last_hidden_state": numbers(hidden[0], digits=7)})


if __name__ == "__main__":
    main()
