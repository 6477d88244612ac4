#!/usr/bin/env python3
"""Computes perceptual.json: MS-SSIM, HaarPSI and MDSI of pairs of pictures, straight from the papers'
definitions, with NumPy in float64 and nothing shared with the Go code. The pairs are
examples/coffee.png and what the integer formulas of distort make of it, which the Go test repeats.

    python3 metric/testdata/make.py        (NumPy and Pillow; from the repository's root)
"""
import json

import numpy as np
from PIL import Image

# name, distortion, size (height, width) of the upper left crop, times each pixel is repeated
CASES = [
    ("noise", "noise", (256, 256), 1),
    ("blur", "blur", (256, 256), 1),
    ("colour", "colour", (256, 256), 1),
    ("hole", "hole", (256, 256), 1),
    ("negative", "negative", (256, 256), 1),
    ("odd", "noise", (177, 203), 1),
    ("twice", "blur", (200, 220), 2),
    ("thrice", "colour", (240, 211), 3),
    ("small", "hole", (40, 31), 1),
]


def scramble(x):
    x = x.astype(np.uint64)
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        x ^= x >> np.uint64(shift)
        x = (x * np.uint64(factor)) & np.uint64(0xFFFFFFFF)
    return x ^ (x >> np.uint64(16))


def distort(kind, a):
    """a is [H,W,3], whole numbers from 0 to 255."""
    h, w, _ = a.shape
    if kind == "noise":
        r = scramble(np.arange(a.size).reshape(a.shape)) % np.uint64(81)
        return np.clip(a + r.astype(np.int64) - 40, 0, 255)
    if kind == "blur":
        p = np.pad(a, ((2, 2), (2, 2), (0, 0)), mode="edge")
        return sum(p[i : i + h, j : j + w] for i in range(5) for j in range(5)) // 25
    if kind == "colour":
        return (3 * a + a[:, :, ::-1]) // 4
    if kind == "hole":
        b = a.copy()
        b[h // 4 : h // 2, w // 3 : w // 2] = 128
        return b
    if kind == "negative":
        return 255 - a


def window(a, n, m, fill, before):
    """Every n x m window of a, which starts before rows and columns ahead of its pixel."""
    p = np.pad(a, ((before[0], n - 1 - before[0]), (before[1], m - 1 - before[1])), **fill)
    return np.lib.stride_tricks.sliding_window_view(p, (n, m))


ZEROS, EDGE = dict(mode="constant"), dict(mode="edge")


def ms_ssim(a, b):
    d = np.arange(11) - 5.0
    gauss = np.exp(-(d[:, None] ** 2 + d[None, :] ** 2) / (2 * 1.5**2))
    gauss /= gauss.sum()
    weights = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333]
    channels = []
    for c in range(a.shape[2]):
        x, y = a[:, :, c] / 255.0, b[:, :, c] / 255.0
        product = 1.0
        for j, weight in enumerate(weights):
            if j > 0:
                x, y = [window(v, 2, 2, EDGE, (0, 0))[::2, ::2].mean((2, 3)) for v in (x, y)]
            wx, wy = [np.lib.stride_tricks.sliding_window_view(v, (11, 11)) for v in (x, y)]
            mean = lambda v: (v * gauss).sum((2, 3))
            mx, my = mean(wx), mean(wy)
            dx, dy = wx - mx[:, :, None, None], wy - my[:, :, None, None]
            cs = (2 * mean(dx * dy) + 0.03**2) / (mean(dx**2) + mean(dy**2) + 0.03**2)
            l = (2 * mx * my + 0.01**2) / (mx**2 + my**2 + 0.01**2)
            value = (l * cs if j == len(weights) - 1 else cs).mean()
            product *= max(value, 0) ** weight
        channels.append(product)
    return float(np.mean(channels))


def S(a, b, c):
    return (2 * a * b + c) / (a**2 + b**2 + c)


def haar_psi(a, b):
    yiq = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])
    halve = lambda v: window(v, 2, 2, ZEROS, (0, 0))[::2, ::2].mean((2, 3))
    x, y = [[halve((v * k).sum(2)) for k in yiq] for v in (a, b)]

    def response(v, s, axis):
        n = 2**s
        sign = np.where(np.arange(n) < n // 2, -1.0, 1.0) / n
        kernel = sign[:, None] if axis == 0 else sign[None, :]
        return np.abs((window(v, n, n, ZEROS, (n // 2 - 1,) * 2) * kernel).sum((2, 3)))

    logistic = lambda v: 1 / (1 + np.exp(-4.2 * v))
    top = bottom = 0.0
    weights = []
    for axis in (0, 1):
        local = sum(S(response(x[0], s, axis), response(y[0], s, axis), 30.0) for s in (1, 2)) / 2
        w = np.maximum(response(x[0], 3, axis), response(y[0], 3, axis))
        weights.append(w)
        top, bottom = top + (logistic(local) * w).sum(), bottom + w.sum()
    smooth = lambda v: np.abs(window(v, 2, 2, ZEROS, (0, 0)).mean((2, 3)))
    local = (S(smooth(x[1]), smooth(y[1]), 30.0) + S(smooth(x[2]), smooth(y[2]), 30.0)) / 2
    w = (weights[0] + weights[1]) / 2
    top, bottom = top + (logistic(local) * w).sum(), bottom + w.sum()
    m = top / bottom
    return float((np.log(m / (1 - m)) / 4.2) ** 2)


def mdsi(a, b):
    lhm = np.array([[0.2989, 0.587, 0.114], [0.3, 0.04, -0.35], [0.34, -0.6, 0.17]])
    n = max(1, int(np.floor(min(a.shape[:2]) / 256 + 0.5)))
    scale = lambda v: window(v, n, n, ZEROS, ((n - 1) // 2,) * 2)[::n, ::n].mean((2, 3))
    (l1, h1, m1), (l2, h2, m2) = [[scale((v * k).sum(2)) for k in lhm] for v in (a, b)]

    def gradient(v):
        d = np.array([-1.0, 0.0, 1.0]) / 3
        w = window(v, 3, 3, ZEROS, (1, 1))
        return np.hypot((w * d[:, None]).sum((2, 3)), (w * d[None, :]).sum((2, 3)))

    g1, g2, g = gradient(l1), gradient(l2), gradient((l1 + l2) / 2)
    gs = S(g1, g2, 140.0) + S(g2, g, 55.0) - S(g1, g, 55.0)
    cs = (2 * (h1 * h2 + m1 * m2) + 550.0) / (h1**2 + h2**2 + m1**2 + m2**2 + 550.0)
    root = (0.6 * gs + 0.4 * cs).astype(complex) ** 0.25
    return float(np.abs(root - root.mean()).mean() ** 0.25)


def pair(kind, size, repeat):
    photo = np.asarray(Image.open("examples/coffee.png").convert("RGB")).astype(np.int64)
    a = photo[: size[0], : size[1]].repeat(repeat, 0).repeat(repeat, 1)
    return a, distort(kind, a)


def main():
    out = []
    for name, kind, size, repeat in CASES:
        a, b = pair(kind, size, repeat)
        case = dict(name=name, distortion=kind, height=size[0], width=size[1], repeat=repeat)
        if min(a.shape[:2]) >= 176:
            case["ms_ssim"] = ms_ssim(a, b)
        case["haarpsi"], case["mdsi"] = haar_psi(a, b), mdsi(a, b)
        out.append(case)
    with open("metric/testdata/perceptual.json", "w") as f:
        json.dump(out, f, indent=1)
        f.write("\n")


if __name__ == "__main__":
    main()
