#!/usr/bin/env python3
"""Makes the profiles here and vectors.json with Little CMS 2 (liblcms2.so.2), which converts in
double precision without its optimisations. Run it in this folder; the tests do not need it."""
import ctypes, ctypes.util, json, random

L = ctypes.CDLL(ctypes.util.find_library("lcms2"))
D, P, U, I = ctypes.c_double, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int


class xyY(ctypes.Structure):
    _fields_ = [("x", D), ("y", D), ("Y", D)]


class triple(ctypes.Structure):
    _fields_ = [("r", xyY), ("g", xyY), ("b", xyY)]


def f(name, res, *args):
    fn = getattr(L, name)
    fn.restype, fn.argtypes = res, args
    return fn


gamma = f("cmsBuildGamma", P, P, D)
para = f("cmsBuildParametricToneCurve", P, P, I, P)
tab = f("cmsBuildTabulatedToneCurve16", P, P, U, P)
rgb = f("cmsCreateRGBProfile", P, P, P, P)
gray = f("cmsCreateGrayProfile", P, P, P)
srgb = f("cmsCreate_sRGBProfile", P)
placeholder = f("cmsCreateProfilePlaceholder", P, P)
version = f("cmsSetProfileVersion", None, P, D)
save = f("cmsSaveProfileToFile", I, P, ctypes.c_char_p)
write_tag = f("cmsWriteTag", I, P, U, P)
transform = f("cmsCreateTransform", P, P, U, P, U, U, U)
do = f("cmsDoTransform", None, P, P, P, U)
open_file = f("cmsOpenProfileFromFile", P, ctypes.c_char_p, ctypes.c_char_p)
pipeline = f("cmsPipelineAlloc", P, P, U, U)
insert = f("cmsPipelineInsertStage", I, P, I, P)
stage_curves = f("cmsStageAllocToneCurves", P, P, U, P)
stage_clut = f("cmsStageAllocCLut16bit", P, P, U, U, U, P)
stage_matrix = f("cmsStageAllocMatrix", P, P, U, U, P, P)
as8 = f("cmsPipelineSetSaveAs8bitsFlag", I, P, I)
set_class = f("cmsSetDeviceClass", None, P, U)
set_space = f("cmsSetColorSpace", None, P, U)
set_pcs = f("cmsSetPCS", None, P, U)
sig = lambda s: int.from_bytes(s.encode(), "big")

D65, D50 = xyY(0.3127, 0.3290, 1), xyY(0.3457, 0.3585, 1)


def curves(c):
    return (P * len(c))(*c)


def parametric(kind, *v):
    return para(None, kind, (D * len(v))(*v))


def table(n, fn):
    return tab(None, n, (ctypes.c_uint16 * n)(*[round(65535 * fn(i / (n - 1))) for i in range(n)]))


def make_rgb(name, v, white, prim, c):
    t = triple(*[xyY(x, y, 1) for x, y in prim])
    p = rgb(ctypes.byref(white), ctypes.byref(t), curves(c))
    version(p, v)
    save(p, name.encode())


def make_gray(name, v, c):
    p = gray(ctypes.byref(D50), c)
    version(p, v)
    save(p, name.encode())


def lab(ink):
    """A smooth, not quite physical ink model, as values of the connection space in [0,1]."""
    c, m, y, k = ink
    return [
        (1 - 0.3 * c) * (1 - 0.4 * m) * (1 - 0.1 * y) * (1 - 0.85 * k),
        0.5 + (0.25 * m - 0.12 * c + 0.05 * m * y) * (1 - k),
        0.5 + (0.3 * y - 0.18 * c - 0.05 * m * c) * (1 - k),
    ]


def affine(ink):
    c, m, y, k = ink
    return [0.98 - 0.2 * c - 0.25 * m - 0.08 * y - 0.4 * k, 0.5 + 0.2 * m - 0.13 * c, 0.5 + 0.25 * y - 0.15 * c + 0.02 * k]


def make_table(name, v, channels, grid, fn, a=None, m=None, b=None, small=False):
    p = placeholder(None)
    version(p, v)
    set_class(p, sig("prtr"))
    set_space(p, sig("CMYK" if channels == 4 else "RGB "))
    set_pcs(p, sig("Lab "))
    values = []

    def fill(prefix):
        if len(prefix) == channels:
            ink = prefix if channels == 4 else [1 - x for x in prefix] + [0]
            values.extend(round(65535 * x) for x in fn(ink))
            return
        for i in range(grid):
            fill(prefix + [i / (grid - 1)])

    fill([])
    if small:
        values = [(x // 257) * 257 for x in values]
    l = pipeline(None, channels, 3)
    if a:
        insert(l, 1, stage_curves(None, channels, curves(a)))
    insert(l, 1, stage_clut(None, grid, channels, 3, (ctypes.c_uint16 * len(values))(*values)))
    if m:
        insert(l, 1, stage_curves(None, 3, curves([gamma(None, x) for x in (1.1, 1.0, 1.0)])))
        insert(l, 1, stage_matrix(None, 3, 3, (D * 9)(*m[0]), (D * 3)(*m[1])))
    if b:
        insert(l, 1, stage_curves(None, 3, curves(b)))
    if small:
        as8(l, 1)
    write_tag(p, sig("A2B0"), l)
    save(p, name.encode())


ADOBE = [(0.64, 0.33), (0.21, 0.71), (0.15, 0.06)]
P3 = [(0.68, 0.32), (0.265, 0.69), (0.15, 0.06)]
PROPHOTO = [(0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001)]
REC709 = [(0.64, 0.33), (0.30, 0.60), (0.15, 0.06)]
lstar = lambda x: ((x + 0.16) / 1.16) ** 3 if x > 0.08 else x * 100 / 903.3
SRGB = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)

make_rgb("adobe-gamma.icc", 2.1, D65, ADOBE, [gamma(None, 2.19921875)] * 3)
make_rgb("p3-para3.icc", 4.3, D65, P3, [parametric(4, *SRGB)] * 3)
make_rgb("prophoto-para0.icc", 4.3, D50, PROPHOTO, [parametric(1, 1.8)] * 3)
make_rgb("rec709-para4.icc", 4.3, D65, REC709, [parametric(5, 1 / 0.45, 1 / 1.099, 0.099 / 1.099, 1 / 4.5, 0.081, 0, 0)] * 3)
make_rgb("p3-para1-para2.icc", 4.3, D65, P3, [parametric(2, 2.0, 1.1, -0.1), parametric(3, 2.2, 0.95, 0.01, 0.05), gamma(None, 1.0)])
make_rgb("adobe-table.icc", 2.1, D65, ADOBE, [table(256, lstar), table(64, lambda x: x ** 2.2), table(1024, lambda x: x ** 1.8)])
make_rgb("srgb-table.icc", 2.1, D65, REC709, [table(1024, lambda x: x / 12.92 if x < 0.04045 else ((x + 0.055) / 1.055) ** 2.4)] * 3)
make_gray("gray-gamma.icc", 2.1, gamma(None, 2.19921875))
make_gray("gray-table.icc", 4.3, table(300, lstar))
id17 = lambda: table(17, lambda x: x)
make_table("cmyk-lut16.icc", 2.1, 4, 3, affine, a=[table(33, lambda x: x ** 1.3)] * 4, b=[table(17, lambda x: x ** 0.9)] + [id17(), id17()])
make_table("rgb-lut8.icc", 2.1, 3, 5, lab, a=[table(256, lambda x: x)] * 3, b=[table(256, lambda x: x)] * 3, small=True)
make_table("cmyk-mab.icc", 4.3, 4, 5, lab, m=[(0.98, 0, 0, 0, 0.9, 0.05, 0, 0, 0.95), (0.01, 0.03, 0.02)],
           a=[gamma(None, 1.0)] * 4, b=[parametric(1, 1.05), gamma(None, 1.0), gamma(None, 1.0)])

# TYPE_*_DBL: float, a colour space, channels, 8 bytes (0).
dbl = lambda space, n: (1 << 22) | (space << 16) | (n << 3)
DBL = {"RGB": dbl(4, 3), "GRAY": dbl(3, 1), "CMYK": dbl(6, 4)}
random.seed(1)
out = []
for name, space, steps in [
    ("adobe-gamma.icc", "RGB", 0), ("p3-para3.icc", "RGB", 0), ("prophoto-para0.icc", "RGB", 0), ("rec709-para4.icc", "RGB", 0),
    ("p3-para1-para2.icc", "RGB", 0), ("adobe-table.icc", "RGB", 0), ("srgb-table.icc", "RGB", 0),
    ("gray-gamma.icc", "GRAY", 0), ("gray-table.icc", "GRAY", 0),
    ("cmyk-lut16.icc", "CMYK", 0), ("rgb-lut8.icc", "RGB", 4), ("cmyk-mab.icc", "CMYK", 4),
]:
    n = {"RGB": 3, "GRAY": 1, "CMYK": 4}[space]
    p = open_file(name.encode(), b"r")
    t = transform(p, DBL[space], srgb(), DBL["RGB"], 1, 0x0100 | 0x0040)  # colorimetric; NOOPTIMIZE, NOCACHE
    assert p and t, name
    for k in range(40):
        if k < 2:
            v = [float(k)] * n
        elif steps:  # grid points
            v = [random.randint(0, steps) / steps for _ in range(n)]
        else:
            v = [random.random() ** 2 for _ in range(n)]
        scale = 100 if space == "CMYK" else 1
        src, dst = (D * n)(*[scale * x for x in v]), (D * 3)()
        do(t, src, dst, 1)
        out.append({"profile": name, "device": [round(x, 12) for x in v], "srgb": [round(x, 9) for x in dst]})
with open("vectors.json", "w") as fp:
    fp.write("[\n" + ",\n".join(json.dumps(x) for x in out) + "\n]\n")
