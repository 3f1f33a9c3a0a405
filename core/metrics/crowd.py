"""How many are in a store at once, from when visits began and ended."""

import numpy as np
from numpy.typing import NDArray


def occupancy(
    entered_at: NDArray[np.int64], left_at: NDArray[np.int64], edges: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the mean and the most visits in progress in each bucket.

    A visit counts from `entered_at` up to, not at, `left_at`: who leaves as another comes makes one.

    Parameters
    ----------
    entered_at, left_at : int64, shape (n,)
        In one unit, any origin.
    edges : int64, shape (m + 1,)
        Rising; bucket i is edges[i] <= t < edges[i + 1].

    Returns
    -------
    (float64, int64), each of shape (m,)
    """
    lengths = np.diff(edges)
    if len(entered_at) == 0:
        return np.zeros(len(lengths)), np.zeros(len(lengths), np.int64)
    at = np.concatenate([entered_at, left_at, edges])
    step = np.concatenate([np.ones_like(entered_at), -np.ones_like(left_at), np.zeros_like(edges)])
    order = np.lexsort((step, at))  # departures before arrivals of the same instant
    at, inside = at[order], np.cumsum(step[order])
    # between two instants the crowd is constant, and every edge is an instant: no stretch lies in two buckets
    bucket = np.searchsorted(edges, at[:-1], side="right") - 1
    spans = np.diff(at)
    counted = (bucket >= 0) & (bucket < len(lengths)) & (spans > 0)
    total = np.zeros(len(lengths))
    most = np.zeros(len(lengths), np.int64)
    np.add.at(total, bucket[counted], (inside[:-1] * spans)[counted].astype(np.float64))
    np.maximum.at(most, bucket[counted], inside[:-1][counted])
    return total / lengths, most
