"""torchcodec's decoder, which also mixes and resamples, then pyarrow."""
import torch
from torchcodec.decoders import AudioDecoder

import parquet
import workers


def read(path, writer):
    decoder = AudioDecoder(path, sample_rate=parquet.RATE, num_channels=1)
    writer.samples(decoder.get_all_samples().data[0].numpy())


if __name__ == "__main__":
    torch.set_num_threads(1)
    workers.main(read)
