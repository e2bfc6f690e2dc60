"""Llama models of random weights in Hugging Face folders, for measurements."""

import json
import pathlib
import subprocess
import sys

# hidden_size, layers, heads, key heads, intermediate_size: of what is no embedding, 5, 25 and 85 million weights; with a
# vocabulary of 32,000 the last is the 110M shape of llama2.c.
SHAPES = {
    "5M": (288, 6, 6, 6, 768),
    "25M": (512, 8, 8, 8, 1376),
    "110M": (768, 12, 12, 12, 2048),
}


def write_byte_tokenizer(folder):
    """A token a byte, and an end of sequence; the other ids of a vocabulary have no text."""
    import tokenizers
    import transformers

    alphabet = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    bpe = tokenizers.Tokenizer(tokenizers.models.BPE({letter: index for index, letter in enumerate(alphabet)}, []))
    bpe.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = tokenizers.decoders.ByteLevel()
    bpe.add_special_tokens(["<|eos|>", "<|pad|>"])
    transformers.PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token="<|eos|>", pad_token="<|pad|>",
                                         clean_up_tokenization_spaces=False).save_pretrained(folder)
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text())
    config.pop("extra_special_tokens", None)
    path.write_text(json.dumps(config))


def write(shape, vocabulary, folder, options):
    """Writes model and tokenizer to `folder`, a pathlib.Path; `options` of LlamaConfig. Returns the number of weights."""
    import torch
    import transformers

    hidden, layers, heads, key_heads, mlp = SHAPES[shape]
    folder.mkdir(parents=True, exist_ok=True)
    write_byte_tokenizer(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    torch.manual_seed(1)
    settings = dict(tie_word_embeddings=False, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id)
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(
        hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=heads, num_key_value_heads=key_heads,
        intermediate_size=mlp, vocab_size=vocabulary, max_position_embeddings=8192, bos_token_id=None,
        **dict(settings, **options))).float()
    model.generation_config.eos_token_id = model.config.eos_token_id
    model.save_pretrained(folder)
    return sum(parameter.numel() for parameter in model.parameters())


def make(shape, vocabulary, folder, **options):
    """The same in a process of its own: what a program measures of its children's memory must not begin with torch's."""
    arguments = [sys.executable, "-B", __file__, shape, str(vocabulary), str(folder), json.dumps(options)]
    return int(subprocess.run(arguments, check=True, capture_output=True, text=True).stdout.split()[-1])


if __name__ == "__main__":
    print(write(sys.argv[1], int(sys.argv[2]), pathlib.Path(sys.argv[3]), json.loads(sys.argv[4])))
