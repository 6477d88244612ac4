# Writes the small PyTorch files of this folder (PyTorch 1.13, Python 3), and what they hold as
# expected.json. Run it in this folder.
import argparse, collections, json, torch

torch.manual_seed(3)
base = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4) / 8 - 1
tied = torch.tensor([[1.5, -2.0], [0.25, 3.0]])
state = collections.OrderedDict([
    ("dense", base.clone()),
    ("transposed", base.permute(2, 0, 1)),          # strides 1, 12, 4
    ("sliced", base[:, 1:, ::2]),                   # an offset and a step
    ("expanded", base[0, 0, :2].unsqueeze(1).expand(2, 3)),  # stride 0
    ("diagonal", torch.arange(16, dtype=torch.float32).reshape(4, 4).diagonal()),
    ("tied.a", tied), ("tied.b", tied), ("tied.row", tied[1]),
    ("scalar", torch.tensor(7.5)),
    ("empty", torch.zeros(0, 3)),
    ("half", torch.tensor([1.0, -65504.0, 2.0 ** -24]).half()),
    ("bfloat", torch.tensor([1.0, -3.0e38, 1e-40]).bfloat16()),
    ("double", torch.tensor([[0.1, -1e30]], dtype=torch.float64)),
    ("parameter", torch.nn.Parameter(torch.tensor([4.0, 5.0]))),
    ("num_batches_tracked", torch.tensor(12)),
    ("index", torch.arange(4, dtype=torch.int32)),
    ("mask", torch.tensor([True, False])),
    ("complex", torch.tensor([1 + 2j])),
    ("note", "text"),
])
floats = {k: v.detach().float() for k, v in state.items()
          if torch.is_tensor(v) and v.is_floating_point()}
json.dump({k: {"shape": list(v.shape), "data": v.reshape(-1).tolist()} for k, v in floats.items()},
          open("expected.json", "w"), indent=1)

torch.save(state, "views.pt")
torch.save(state, "views_legacy.pth", _use_new_zipfile_serialization=False)
for protocol in (1, 3, 4, 5):
    torch.save(state, f"views_protocol{protocol}.pt", pickle_protocol=protocol)
torch.save(state, "views_legacy_protocol1.pth", pickle_protocol=1, _use_new_zipfile_serialization=False)
torch.save(state, "views_legacy_protocol4.pth", pickle_protocol=4, _use_new_zipfile_serialization=False)

# A whole training checkpoint: an optimiser's state, arguments, weights two levels down.
model = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2))
with torch.no_grad():
    for p in model.parameters():
        p.copy_(torch.arange(p.numel(), dtype=torch.float32).reshape(p.shape) / 4)
optimiser = torch.optim.Adam(model.parameters())
model(torch.ones(1, 1, 4, 4)).sum().backward()
optimiser.step()
with torch.no_grad():
    for p in model.parameters():
        p.copy_(torch.arange(p.numel(), dtype=torch.float32).reshape(p.shape) / 4)
weights = {"module." + k: v for k, v in model.state_dict().items()}
training = {"epoch": 3, "args": argparse.Namespace(lr=1e-4), "optimizer": optimiser.state_dict(),
            "seen": {1, 2}, "device": torch.device("cpu")}
torch.save({**training, "state_dict": weights}, "training.pt")
torch.save({**training, "state_dict": weights}, "training_legacy.pth", _use_new_zipfile_serialization=False)
torch.save({**training, "model": weights, "ema": {k: v * 2 for k, v in weights.items()}}, "two_models.pt")
torch.save(model, "module.pt")


class Evil:
    def __reduce__(self):
        import os
        return os.system, ("touch pickle_was_executed",)


torch.save({"weight": tied, "evil": Evil()}, "evil.pt")
torch.save({"weight": tied, "evil": Evil()}, "evil_legacy.pth", _use_new_zipfile_serialization=False)
