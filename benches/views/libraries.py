"""How each peer is called: on one clip, or on a batch where that is faster or the only way."""
import importlib
import importlib.util

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


def there(library):
    """Whether it is installed."""
    return importlib.util.find_spec(MODULES[library].split(".")[0]) is not None


def made(library, case, setting, clips):
    """What is timed: a call without arguments for each clip, or one for the batch; and what writes its clips anew. Each gives
    samples that lie together in memory: to reverse an array of NumPy is otherwise no work at all."""
    apply = case.peers[library](importlib.import_module(MODULES[library]), setting)
    rate = () if library == "librosa" else (setting.rate,)

    def pair(source, call, given_as=lambda array: array):
        array = source.copy()
        given = given_as(array)   # in the same memory
        return lambda: numpy.copyto(array, source), lambda: call(given)

    if library in TORCH:
        import torch
        if library == "torch_audiomentations":
            return [pair(clips[:, None], lambda given: apply(given, setting.rate).samples.contiguous(), torch.from_numpy)]
        inputs = [clips] if library in BATCHED else clips[:, None]
        return [pair(source, lambda given: apply(given).contiguous(), torch.from_numpy) for source in inputs]
    return [pair(clip, lambda given: numpy.ascontiguousarray(apply(given, *rate))) for clip in clips]
