#!/usr/bin/env python3
"""Prints the bias-corrected accelerated bootstrap interval of TestIntervalGolden, with the
acceleration from the jackknife (Efron and Tibshirani 1993, chapter 14.3) and two million resamples.

    python3 internal/bench/testdata/interval.py        (NumPy)
"""
from statistics import NormalDist

import numpy as np

v = np.array([0.1, 0.2, 0.3, 0.5, 0.7, 1.1, 1.9, 4.2])
rng = np.random.default_rng(7)
means = v[rng.integers(0, len(v), (2_000_000, len(v)))].mean(1)
normal = NormalDist()
z0 = normal.inv_cdf((means < v.mean()).mean() + (means == v.mean()).mean() / 2)
jack = np.array([np.delete(v, i).mean() for i in range(len(v))])
d = jack.mean() - jack
a = (d**3).sum() / (6 * (d**2).sum() ** 1.5)


def end(p):
    z = z0 + normal.inv_cdf(p)
    return np.quantile(means, normal.cdf(z0 + z / (1 - a * z)))


print(end(0.025), end(0.975))
