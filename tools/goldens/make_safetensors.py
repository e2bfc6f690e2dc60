"""One safetensors file with every dtype, as the Python package writes it: common/tensor/testdata.

    python tools/goldens/make_safetensors.py
"""

import torch

from golden_io import ROOT, peers, save_tensors

DTYPES = """bfloat16 float16 float32 float64 int8 int16 int32 int64 uint8 uint16 uint32 uint64 float8_e4m3fn
float8_e5m2""".split()


def main():
    values = torch.arange(6, dtype=torch.float64).reshape(2, 3)
    tensors = {name: values.to(getattr(torch, name)) for name in DTYPES}
    tensors |= {"bool": values > 2, "scalar": torch.tensor(1.0), "empty": torch.zeros(0, 4)}
    path = ROOT / "common/tensor/testdata/all_dtypes.safetensors"
    save_tensors(path, tensors, peers("safetensors", "torch"), format="pt")


if __name__ == "__main__":
    main()
