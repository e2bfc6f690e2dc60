"""Makes common/data/testdata/bpe_trainer.json: what `tokenizers` learns from a small text, to hold our trainer to.

    python tools/goldens/make_bpe_trainer.py
"""
import json
import pathlib

import tokenizers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

TEXTS = [
    "The quick brown fox jumps over the lazy dog. The dog doesn't mind; it's lazy, isn't it?\n\n",
    "aaaa aaa aa a banana bananas bandana  aaaaaaaa\t\tmississippi mississippi's 1234567 123 12 3\r\n",
    "Größe, naïve café — “quotes”… 你好，世界。你好！ こんにちは мир миру мир 🙂🙂🙂 👩‍👩‍👧\n",
    "low lower lowest new newer newest wide wider widest low low new new new widest widest " * 3,
    "def f(x):\n    return x  # x\n    if x > 0:\n        return -x\n",
]
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
PROBES = ["The newest bananas are the widest.", "  lower\n\n你好 🙂 it's 12345", "", "return x + 1"]

root = pathlib.Path(__file__).resolve().parents[2]
golden = {"peer": f"tokenizers {tokenizers.__version__}", "texts": TEXTS, "special_tokens": SPECIAL, "runs": []}
for vocab_size in (259, 300, 420, 2000):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        TEXTS,
        trainers.BpeTrainer(
            vocab_size=vocab_size,
            min_frequency=0,
            special_tokens=SPECIAL,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    saved = json.loads(tokenizer.to_str())["model"]
    tokens = sorted(saved["vocab"], key=saved["vocab"].get)
    golden["runs"].append({
        "vocab_size": vocab_size,
        "tokens": tokens,
        "merges": saved["merges"],
        "probes": [{"text": text, "ids": tokenizer.encode(text).ids} for text in PROBES],
    })
path = root / "common/data/testdata/bpe_trainer.json"
path.parent.mkdir(parents=True, exist_ok=True)
path.write_text(json.dumps(golden, ensure_ascii=False) + "\n")
