#!/usr/bin/env python3
"""Load an Étude checkpoint of a wav2vec2 encoder into Hugging Face's Wav2Vec2Model.

    pip install torch transformers safetensors
    python3 docs/load-in-pytorch.py "$(dirname "$(etude path pipelines/wav2vec2.yaml model | head -1)")" model

writes the model's folder, which `Wav2Vec2Model.from_pretrained` reads. Names and layouts are the same: all that is
done is to take the prefix `encoder.` away and to tell the sizes.
"""
import json
import pathlib
import sys

from safetensors.torch import load_file
from transformers import Wav2Vec2Config, Wav2Vec2Model


def load(folder):
    """The model of a checkpoint's folder."""
    folder = pathlib.Path(folder)
    sizes = json.loads((folder / "model.json").read_text())["train"]["encoder"]["wav2vec2"]
    config = Wav2Vec2Config(
        conv_dim=sizes["channels"], conv_kernel=sizes["kernels"], conv_stride=sizes["strides"],
        hidden_size=sizes["dim"], num_hidden_layers=sizes["depth"], num_attention_heads=sizes["heads"],
        intermediate_size=sizes["mlp"], num_conv_pos_embeddings=sizes["positions"],
        num_conv_pos_embedding_groups=sizes["position_groups"])
    tensors = load_file(folder / "model.safetensors")
    prefix = "encoder."
    own = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    model = Wav2Vec2Model(config)
    model.load_state_dict(own)
    return model.eval()


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    load(sys.argv[1]).save_pretrained(sys.argv[2])
