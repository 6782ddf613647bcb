"""Writes k_means.json: what scikit-learn's KMeans and MiniBatchKMeans come to on some frames.

    pip install numpy==2.4.6 scikit-learn==1.9.1
    python k_means.py > k_means.json

The frames are of 12 clips, channel after channel: a random walk between 20 Gaussians that overlap. The inertia is the
sum of squared distances of all frames from the nearest centroid: of the best of ten runs of KMeans, and of
MiniBatchKMeans as a mean over ten seeds.
"""

import json

import numpy as np
from sklearn.cluster import KMeans, MiniBatchKMeans

CLIPS, FRAMES, CHANNELS, CLUSTERS = 12, 100, 4, 16

random = np.random.default_rng(11)
centres = random.normal(0, 3, (20, CHANNELS)) + [-9, 0, 4, 100]
at, frames = 0, []
for _ in range(CLIPS * FRAMES):
    at = random.integers(0, 20) if random.random() < 0.1 else at
    frames.append(random.normal(centres[at], random.uniform(0.5, 1.5)))
frames = np.round(np.array(frames), 3).astype(np.float32)

best = KMeans(CLUSTERS, n_init=10, random_state=0).fit(frames).inertia_


def mini_batch(seed):
    return MiniBatchKMeans(CLUSTERS, batch_size=400, n_init=1, random_state=seed).fit(frames).score(frames)


clips = frames.reshape(CLIPS, FRAMES, CHANNELS).transpose(0, 2, 1)
print(
    json.dumps(
        {
            "clusters": CLUSTERS,
            "clips": [[[round(float(x), 3) for x in channel] for channel in clip] for clip in clips],
            "k_means": round(float(best), 3),
            "mini_batch": round(float(np.mean([-mini_batch(seed) for seed in range(10)])), 3),
        },
        separators=(",", ":"),
    )
)
