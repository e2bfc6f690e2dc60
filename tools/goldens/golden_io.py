"""What every golden script shares: offline and one-threaded peers, and files that name the peer that made them."""

import importlib.metadata
import json
import os
import pathlib
import re

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import safetensors.torch
import torch
import transformers

# A list of numbers as json.dumps(indent=1) spreads it; a line break cannot occur inside a JSON string.
NUMBERS = re.compile(r"\[\n\s+((?:[-+.\deE]+,\n\s+)*[-+.\deE]+)\n\s+\]")

ROOT = pathlib.Path(__file__).resolve().parents[2]

torch.set_num_threads(1)
transformers.utils.logging.disable_progress_bar()


def shared_data():
    """The folder of real data beside the checkout: $PLUMB_SHARED, or shared/ in a folder above the workspace."""
    candidates = [pathlib.Path(os.environ["PLUMB_SHARED"])] if "PLUMB_SHARED" in os.environ else []
    candidates += [folder / "shared" for folder in ROOT.parents]
    for folder in candidates:
        if (folder / "data").is_dir():
            return folder / "data"
    raise SystemExit("shared data not found: set PLUMB_SHARED to the folder that holds data/")


def peers(*packages):
    """'transformers 5.23.0, torch 2.11.0': goes into every golden file."""
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages)


def save_tensors(path, tensors, peer, **metadata):
    """Writes tensors with the peer and further strings in the safetensors header."""
    path.parent.mkdir(parents=True, exist_ok=True)
    contiguous = {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
    data = safetensors.torch.save(contiguous, metadata={"peer": peer, **metadata})
    path.write_bytes(with_sorted_metadata(data))


def with_sorted_metadata(data):
    """safetensors writes metadata in random order; sorted, the same tensors give the same file."""
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps({"__metadata__": header.pop("__metadata__"), **header}, separators=(",", ":")).encode()
    text = text.ljust(-(-len(text) // 8) * 8)
    return len(text).to_bytes(8, "little") + text + data[8 + length :]


def save_json(path, value, peer=None):
    """Writes one JSON object; `peer`, if given, becomes its first key."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if peer is not None:
        value = {"peer": peer, **value}
    text = json.dumps(value, indent=1, ensure_ascii=False)
    text = NUMBERS.sub(lambda match: "[" + " ".join(match[1].split()) + "]", text)
    path.write_text(text + "\n", encoding="utf-8")
