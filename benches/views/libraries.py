"""How each peer is called: on one clip, or on a batch where that is faster or the only way."""
import importlib

import numpy

# library -> the module that cases get
MODULES = {
    "audiomentations": "audiomentations", "torch_audiomentations": "torch_audiomentations", "pedalboard": "pedalboard",
    "librosa": "librosa", "torchaudio": "torchaudio", "nnaudio": "nnAudio.features",
    "torchaudio_augmentations": "torchaudio_augmentations",
}
# These get all clips together and PyTorch's threads; of the others there are as many processes as threads. (torchaudio
# takes batches too, but a clip at a time is twice as fast on a CPU.)
BATCHED = ("torch_audiomentations", "nnaudio")
TORCH = (*BATCHED, "torchaudio", "torchaudio_augmentations")


def made(library, case, setting, clips):
    """What is timed: a call without arguments for each clip, or one for the batch. Each gives samples that lie together in
    memory: to reverse an array of NumPy is otherwise no work at all."""
    apply = case.peers[library](importlib.import_module(MODULES[library]), setting)
    if library in TORCH:
        import torch
        tensors = torch.from_numpy(clips)
        if library == "torch_audiomentations":
            return [lambda: apply(tensors[:, None], setting.rate).samples.contiguous()]
        inputs = [tensors] if library in BATCHED else [clip[None] for clip in tensors]
        return [lambda given=given: apply(given).contiguous() for given in inputs]
    rate = () if library == "librosa" else (setting.rate,)
    return [lambda clip=clip: numpy.ascontiguousarray(apply(clip, *rate)) for clip in clips]
