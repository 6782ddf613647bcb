"""Times steps of a training in PyTorch: python3 eager.py MODEL STEPS THREADS prints them as JSON."""
import json
import sys
import time

import torch

import models
import train_step


def main():
    name, steps, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    _, samples, clips = models.MODELS[name]
    model = models.Model(name).train()
    optimizer = torch.optim.AdamW([
        {"params": [p for p in model.parameters() if p.dim() > 1], "weight_decay": 0.01},
        {"params": [p for p in model.parameters() if p.dim() <= 1], "weight_decay": 0.0}], lr=1e-3)
    noise = torch.rand(2 * clips, samples) - 0.5
    seconds = []
    for _ in range(steps):
        begin = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        loss = train_step.nt_xent(model(noise.clone()), 0.1)
        loss.backward()
        optimizer.step()
        value = loss.item()
        seconds.append(time.perf_counter() - begin)
    parameters = sum(p.numel() for p in model.parameters())
    print(json.dumps({"seconds": seconds, "loss": value, "parameters": parameters}))


if __name__ == "__main__":
    main()
