#!/usr/bin/env python3
"""Computes lpips.json and heads_alexnet.pth with PyTorch: LPIPS (Zhang et al. 2018, version 0.1) on
VGG-16, AlexNet and SqueezeNet 1.1 with random weights, by the layers' definitions in
torch.nn.functional. Weights and images come from integer formulas that the Go test repeats.

    python3 metric/lpips/testdata/make.py        (NumPy and PyTorch; from the repository's root)
"""
import json

import numpy as np
import torch
import torch.nn.functional as F

torch.set_num_threads(1)


def uniform(stream, count):
    """Numbers in [0,1) by a 32-bit hash of the stream and the counter."""
    x = np.arange(count, dtype=np.uint64) + np.uint64(stream * 0x9E3779B9 & 0xFFFFFFFF)
    x &= np.uint64(0xFFFFFFFF)
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        x ^= x >> np.uint64(shift)
        x = (x * np.uint64(factor)) & np.uint64(0xFFFFFFFF)
    x ^= x >> np.uint64(16)
    return x.astype(np.float64) / 2**32


class Weights:
    """Draws tensors in the order in which they are asked for: the first is stream 1."""

    def __init__(self):
        self.stream = 0

    def draw(self, *shape, low, high):
        self.stream += 1
        v = low + (high - low) * uniform(self.stream, int(np.prod(shape)))
        return torch.tensor(v.astype(np.float32)).reshape(shape)

    def conv(self, x, out, side, stride=1, padding=0):
        fan = x.shape[1] * side * side
        bound = float(np.sqrt(6 / fan))
        w = self.draw(out, x.shape[1], side, side, low=-bound, high=bound)
        b = self.draw(out, low=-0.1, high=0.1)
        return F.relu(F.conv2d(x, w, b, stride=stride, padding=padding))

    def fire(self, x, squeeze, out):
        s = self.conv(x, squeeze, 1)
        return torch.cat([self.conv(s, out // 2, 1), self.conv(s, out // 2, 3, padding=1)], 1)


def vgg16(w, x):
    taps = []
    for block, (count, channels) in enumerate([(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)]):
        if block > 0:
            x = F.max_pool2d(x, 2, 2)
        for _ in range(count):
            x = w.conv(x, channels, 3, padding=1)
        taps.append(x)
    return taps


def alexnet(w, x):
    a = w.conv(x, 64, 11, stride=4, padding=2)
    b = w.conv(F.max_pool2d(a, 3, 2), 192, 5, padding=2)
    c = w.conv(F.max_pool2d(b, 3, 2), 384, 3, padding=1)
    d = w.conv(c, 256, 3, padding=1)
    return [a, b, c, d, w.conv(d, 256, 3, padding=1)]


def squeezenet(w, x):
    pool = lambda v: F.max_pool2d(v, 3, 2, ceil_mode=True)
    taps = [w.conv(x, 64, 3, stride=2)]
    x = w.fire(w.fire(pool(taps[-1]), 16, 128), 16, 128)
    taps.append(x)
    x = w.fire(w.fire(pool(x), 32, 256), 32, 256)
    taps.append(x)
    x = pool(x)
    for squeeze, out in [(48, 384), (48, 384), (64, 512), (64, 512)]:
        x = w.fire(x, squeeze, out)
        taps.append(x)
    return taps


def image(seed, height, width):
    """[1,3,H,W] in [-1,1], multiples of 1/128: waves of triangles with noise."""
    y, x = np.mgrid[0:height, 0:width]
    noise = (uniform(1000 + seed, 3 * height * width) * 64).astype(np.int64).reshape(3, height, width)
    v = np.stack([np.abs((x * (3 + c) + y * (7 - 2 * c) + 40 * seed) % 256 - 128) for c in range(3)])
    return torch.tensor(((v + noise) % 257 - 128) / 128, dtype=torch.float32)[None]


def lpips(network, a, b):
    shift = torch.tensor([-0.030, -0.088, -0.188]).view(1, 3, 1, 1)
    scale = torch.tensor([0.458, 0.448, 0.450]).view(1, 3, 1, 1)
    w = Weights()
    taps = network(w, (torch.cat([a, b]) - shift) / scale)
    terms, heads = [], {}
    for i, f in enumerate(taps):
        f = f / (torch.sqrt((f**2).sum(1, keepdim=True)) + 1e-10)
        head = w.draw(1, f.shape[1], 1, 1, low=0.0, high=1.0)
        heads["lin%d.model.1.weight" % i] = head
        terms.append(F.conv2d((f[:1] - f[1:]) ** 2, head).mean().item())
    return terms, heads


def main():
    out = []
    for network in (vgg16, alexnet, squeezenet):
        for height, width in ((64, 64), (67, 50)):
            with torch.no_grad():
                terms, heads = lpips(network, image(0, height, width), image(1, height, width))
            out.append(dict(network=network.__name__, height=height, width=width, terms=terms))
        if network is alexnet:
            torch.save(heads, "metric/lpips/testdata/heads_alexnet.pth")
    with open("metric/lpips/testdata/lpips.json", "w") as f:
        json.dump(out, f, indent=1)
        f.write("\n")


if __name__ == "__main__":
    main()
