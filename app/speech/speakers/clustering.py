"""Groups voices: average linkage over the longest lines, then every line goes to the nearest group."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

MOST: Final = 10  # speakers that are told apart
_LONG_S: Final = 1.2  # a shorter line says too little of its voice to make a group
_LINKED: Final = 1500  # lines that are linked; the matrix of their distances takes 9 MB
_APART: Final = 0.22  # mean cosine distance of two groups that are two speakers (`python -m bench.speakers`)
_LEAST_SHARE: Final = 0.03  # of the time spoken: a smaller group is no speaker where the count is not given
_LEAST_S: Final = 3.0
_ROUNDS: Final = 10


def grouped(vectors: Floats, seconds: Doubles, count: int | None) -> Indices:
    """The group of each line, 0, 1, ... in the order in which they first speak; -1 for a line without a voice.

    `vectors` (n, 256) have length 1, or 0 where nothing was heard; `seconds` (n,) is how long each line is. `count`
    None: as many as sound different, 1 to MOST.
    """
    labels = np.full(len(vectors), -1, np.int64)
    heard = np.flatnonzero(np.linalg.norm(vectors, axis=1) > 0.5)
    if not len(heard):
        return labels
    sure = heard[seconds[heard] >= _LONG_S]
    if len(sure) < max(2, count or 0):
        sure = heard
    sure = np.sort(sure[np.argsort(-seconds[sure], kind="stable")][:_LINKED])
    centres = _centres(vectors[sure].astype(np.float64), seconds[sure], count)
    for _ in range(_ROUNDS):
        nearest = np.argmax(vectors[sure] @ centres.T, axis=1)
        moved = _means(vectors[sure].astype(np.float64), nearest, seconds[sure], centres)
        if np.allclose(moved, centres, atol=1e-6):
            break
        centres = moved
    labels[heard] = np.argmax(vectors[heard] @ centres.T, axis=1)
    order = {label: n for n, label in enumerate(dict.fromkeys(labels[heard].tolist()))}
    labels[heard] = [order[label] for label in labels[heard].tolist()]
    return labels


def _centres(vectors: Doubles, seconds: Doubles, count: int | None) -> Doubles:
    """The middle of each group, (groups, 256), of length 1."""
    if len(vectors) == 1 or count == 1:
        return _means(vectors, np.zeros(len(vectors), np.int64), seconds, np.zeros((1, vectors.shape[1])))
    from scipy.cluster.hierarchy import fcluster, linkage  # type: ignore[import-untyped]
    from scipy.spatial.distance import pdist  # type: ignore[import-untyped]

    tree = linkage(pdist(vectors, "cosine"), "average")
    wanted = min(count or MOST, len(vectors))
    if count is None:
        found = fcluster(tree, _APART, "distance") - 1
        return _largest(vectors, found, seconds, MOST, max(_LEAST_SHARE * seconds.sum(), _LEAST_S))
    # a line like no other is a group of its own: more groups are cut until so many are large enough
    for groups in range(wanted, min(wanted + 20, len(vectors)) + 1):
        found = fcluster(tree, groups, "maxclust") - 1
        sizes = np.bincount(found, seconds)
        if np.count_nonzero(sizes >= _LEAST_SHARE * seconds.sum() / 2) >= wanted:
            return _largest(vectors, found, seconds, wanted, 0.0)
    return _largest(vectors, fcluster(tree, wanted, "maxclust") - 1, seconds, wanted, 0.0)


def _largest(vectors: Doubles, found: Indices, seconds: Doubles, most: int, least_s: float) -> Doubles:
    sizes = np.bincount(found, seconds)
    largest = np.argsort(-sizes, kind="stable")[:most]
    largest = largest[(sizes[largest] >= least_s) | (largest == largest[0])]
    means = _means(vectors, found, seconds, np.zeros((len(sizes), vectors.shape[1])))
    return np.asarray(means[np.sort(largest)], np.float64)


def _means(vectors: Doubles, labels: Indices, seconds: Doubles, before: Doubles) -> Doubles:
    """The middle of each group by its lines' lengths; an empty one stays where it was."""
    sums = np.zeros_like(before)
    np.add.at(sums, labels, vectors * np.minimum(seconds, 5.0)[:, None])
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    return np.asarray(np.where(lengths > 0, sums / np.maximum(lengths, 1e-12), before), np.float64)
