"""Small byte-level BPE tokenizers that split text exactly as GPT-2's, Llama-3's and Qwen2's do, and their ids.

Makes common/data/testdata/tokenizers/<name>/: tokenizer.json and tokenizer_config.json laid out as the models publish
them (but with a vocabulary of about 850, trained here on shared/data's demo set and the lines below), and goldens.json:
    encode: text, ids, ids_with_special_tokens (what the post-processor adds), decoded, decoded_skip_special
    decode: ids and text for ids that split characters (incomplete UTF-8 becomes U+FFFD)

    python tools/goldens/make_tokenizers.py
"""

import json
import random

import golden_io
import tokenizers
import transformers

OUT = golden_io.ROOT / "common/data/testdata/tokenizers"
PEER = golden_io.peers("tokenizers", "transformers")
MERGES = 640

# Text other than English, so that merges also join the bytes of other scripts.
OTHER_SCRIPTS = [
    "Größe, Füße und Äpfel; naïve café, déjà vu, señor, Ångström.",
    "Быстрая коричневая лиса прыгает через ленивую собаку.",
    "我们今天在北京学习中文，你好世界。日本語のテキストもあります。한국어 문장도 있습니다.",
    "مرحبا بالعالم، هذا نص عربي. שלום עולם, זה טקסט בעברית.",
    "नमस्ते दुनिया। สวัสดีชาวโลก កាន់តែពិសេស",
    "🦙 😀 👍🏽 👩‍👩‍👧‍👦 🇩🇪 🚀 ✅ — “quoted” … ½ ² ™ €",
    "x = [1, 22, 333, 4444];\n\tif (x != 0) {\n        return x->next;\n    }\r\n",
]

LLAMA3_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN2_PATTERN = LLAMA3_PATTERN.replace(r"\p{N}{1,3}", r"\p{N}")

HARD = [
    "", " ", "  ", "   ", "\n", "\n\n", "\n\n\n", "\t", "\t\n", "\r\n", "\r\n\r\n  x", "a\rb", " \n \n  \n", "x \n\n y",
    "Hello world", " Hello world", "Hello,  world!", "   leading and trailing   ", "tabs\tand\t\ttabs",
    "It's he'll WE'VE i'M you'D they'RE 'tis rock'n'roll 'sS '", "don’t it’s", "'S'T'RE 's't're", "ſ's K'ſ o'ſ",
    "3", "33", "333", "3333", "33333 1234567890123", "3.14159e-10", "1,000,000", "v2.0.1-rc3", "½ ² ③ Ⅻ ٣٤٥ १२३ 四",
    "snake_case camelCase kebab-case SCREAMING", "a_b__c", "foo(bar)[0]{x: 1}; // comment\n", "#!/bin/sh\nset -e\n",
    "http://example.org/a?b=c&d=%20#e", "user@example.org", "C++ C# .NET", "!!!!!! ?????? ......", "-------=======",
    "Führer Äpfel naïve café", "cafe\u0301 vs caf\u00e9", "A\u030a \u212b \u00c5", "\u1e9b\u0323 \u0061\u0315\u0300\u05ae\u0062",
    "\u0344 \u0958 \ufb1d \u2126", "\uac00\u11a8 \u1100\u1161\u11a8 \uac01", "ﬁ ﬂ ﷺ", "Z\u0351\u036b\u0343a\u0329\u0320l\u0348\u0333go",
    "我想在apple工作1314151天～", "日本語テキスト。カタカナ", "한국어 문장", "مرحبا بالعالم", "שָׁלוֹם", "नमस्ते दुनिया", "កាន់តែពិសេសអាចខលចេញ", "нещо на Български",
    "🦙", " 🦙.cpp", "👍🏽👩‍👩‍👧‍👦🇩🇪", "🚀 (normal) 😶‍🌫️ (multiple) ✅", "a\u00a0b\u2003c\u3000d\u200be\ufefff", "\u2028line\u2029para\u0085next\u000bvt\u000cff",
    "nul\u0000in\u0000side", "\u0000", "\u0001\u001f\u007f", "\U0001f600\U0010fffd\ue000", "\ufffd\uffff", "𝕳𝖊𝖑𝖑𝖔 𠜎", "İstanbul ıI ßẞ ǅ ʰ",
    " ignore unreachable ignore", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "the the the the", "thethethe", "Ġhello Ċ",
]  # fmt: skip


# Each tells one part of the patterns from a likely mistake: contractions before letters and in capitals, punctuation
# that takes line breaks with it, the last space of a run, letters and digits of other scripts.
BOUNDARIES = [
    "it'Sfun 'REally 'Then 'llama 'MORE 'dove 'Vest", "x'sound x'Sound x'ſound 'ſ", "end.\n\nNext();\r\n\r\n}\n !\n", "  \n\n  x   y", "a \n b",
    "12345678 9a1b22c333d4444", "٣٤٥٦ १२३४ ½½½½ ⅣⅣⅣⅣ", "_private __init__ #tag @name -x .5 $9", "\tif\tx\n\t\treturn  \n",
    "a\u0301b\u0301 \u0301x", "x\u00a0y \u00a0z\u3000\u3000w", "日本123語！？\n「x」", "🦙🦙🦙abc🦙\n",
]  # fmt: skip

# Merges that a right split never lets happen in BOUNDARIES: 'S|f, 'RE|a, 'ſ|o, line break|space.
ACROSS = [("S", "f"), ("E", "a"), ("¿", "o"), ("Ċ", "Ġ")]


def test_strings():
    """llama.cpp's test strings: 46 of them, for every vocabulary the same."""
    path = golden_io.shared_data() / "alignment/llama.cpp-vocab/ggml-vocab-gpt-2.gguf.inp"
    return path.read_bytes().decode("utf-8").split("\n__ggml_vocab_test__\n")


def english(pairs=150):
    rows = json.loads((golden_io.shared_data() / "alignment/llamafactory/dpo_en_demo.json").read_text("utf-8"))
    return [row["chosen"]["value"] for row in rows[:pairs]]


def merges_of(texts, pre_tokenizer, count):
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizer
    alphabet = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=256 + count, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    return [tuple(pair) for pair in json.loads(tokenizer.to_str())["model"]["merges"]]


def trained(pre_tokenizer):
    """(vocab, merges) of a byte-level BPE; ids 0..255 are the bytes.

    Half of the merges are learnt from the very test strings without any splitting: they reach across the places
    where the pre-tokenizer must split, so that a wrong split shows in the ids.
    """
    whole = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    across = merges_of(BOUNDARIES * 10 + HARD * 2 + test_strings() * 2, whole, MERGES // 2)
    merges = list(dict.fromkeys(ACROSS + merges_of(english(), pre_tokenizer, MERGES // 2) + across))
    tokens = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet()) + [left + right for left, right in merges]
    return {token: index for index, token in enumerate(dict.fromkeys(tokens))}, merges


def byte_level(add_prefix_space, trim_offsets, use_regex):
    return {
        "type": "ByteLevel",
        "add_prefix_space": add_prefix_space,
        "trim_offsets": trim_offsets,
        "use_regex": use_regex,
    }


def splitter(pattern):
    bytes_alone = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    split_first = tokenizers.pre_tokenizers.Split(tokenizers.Regex(pattern), "isolated")
    return tokenizers.pre_tokenizers.Sequence([split_first, bytes_alone])


def split_json(pattern):
    return {
        "type": "Sequence",
        "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False},
            byte_level(False, True, False),
        ],
    }


def added(first_id, contents, special=True, normalized=False):
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": normalized, "special": special}
    return [{"id": first_id + i, "content": content, **flags} for i, content in enumerate(contents)]


def tokenizer_json(vocab, merges, added_tokens, normalizer, pre_tokenizer, post_processor, decoder, ignore_merges):
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added_tokens,
        "normalizer": normalizer,
        "pre_tokenizer": pre_tokenizer,
        "post_processor": post_processor,
        "decoder": decoder,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": "",
            "end_of_word_suffix": "",
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": ignore_merges,
            "vocab": vocab,
            "merges": merges,
        },
    }


def gpt2():
    pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    vocab, merges = trained(pre_tokenizer)
    tokenizer = tokenizer_json(
        vocab,
        [" ".join(pair) for pair in merges],  # the older spelling of merges
        added(len(vocab), ["<|endoftext|>"], normalized=True),
        None,
        byte_level(False, True, True),
        byte_level(True, False, True),
        byte_level(True, True, True),
        False,
    )
    for newer_key in ("byte_fallback", "ignore_merges"):  # GPT-2's file is older than these
        del tokenizer["model"][newer_key]
    vocab["<|endoftext|>"] = len(vocab)  # GPT-2's file has it in the vocabulary as well
    config = {
        "add_bos_token": False,
        "add_prefix_space": False,
        "bos_token": "<|endoftext|>",
        "clean_up_tokenization_spaces": True,
        "eos_token": "<|endoftext|>",
        "model_max_length": 1024,
        "tokenizer_class": "GPT2Tokenizer",
        "unk_token": "<|endoftext|>",
    }
    return tokenizer, config


def llama3():
    vocab, merges = trained(splitter(LLAMA3_PATTERN))
    # Whole words that merges alone never reach: what ignore_merges is for.
    for word in ("Ġignore", "unreachable", "Ġunreachable"):
        assert word not in vocab
        vocab[word] = len(vocab)
    special = ["<|begin_of_text|>", "<|end_of_text|>", "<|reserved_special_token_0|>", "<|start_header_id|>"]
    special += ["<|end_header_id|>", "<|eot_id|>"]
    bos = {"id": "<|begin_of_text|>", "type_id": 0}
    template = {
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": bos}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [
            {"SpecialToken": bos},
            {"Sequence": {"id": "A", "type_id": 0}},
            {"SpecialToken": {"id": "<|begin_of_text|>", "type_id": 1}},
            {"Sequence": {"id": "B", "type_id": 1}},
        ],
        "special_tokens": {
            "<|begin_of_text|>": {"id": "<|begin_of_text|>", "ids": [len(vocab)], "tokens": ["<|begin_of_text|>"]}
        },
    }
    added_tokens = added(len(vocab), special)
    tokenizer = tokenizer_json(
        vocab,
        merges,
        added_tokens,
        None,
        split_json(LLAMA3_PATTERN),
        {"type": "Sequence", "processors": [byte_level(True, False, True), template]},
        byte_level(True, True, True),
        True,
    )
    config = {
        "added_tokens_decoder": {
            str(token["id"]): {key: value for key, value in token.items() if key != "id"} for token in added_tokens
        },
        "bos_token": "<|begin_of_text|>",
        "clean_up_tokenization_spaces": True,
        "eos_token": "<|eot_id|>",
        "model_input_names": ["input_ids", "attention_mask"],
        "model_max_length": 131072,
        "tokenizer_class": "PreTrainedTokenizerFast",
    }
    return tokenizer, config


def qwen2():
    vocab, merges = trained(splitter(QWEN2_PATTERN))
    added_tokens = added(len(vocab), ["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    added_tokens += added(len(vocab) + 3, ["<tool_call>", "</tool_call>"], special=False)
    pre_tokenizer = split_json(QWEN2_PATTERN)
    pre_tokenizer["pretokenizers"][1]["trim_offsets"] = False
    tokenizer = tokenizer_json(
        vocab,
        [" ".join(pair) for pair in merges],
        added_tokens,
        {"type": "NFC"},
        pre_tokenizer,
        byte_level(False, False, False),
        byte_level(False, False, False),
        False,
    )
    config = {
        "add_bos_token": False,
        "add_prefix_space": False,
        "added_tokens_decoder": {
            str(token["id"]): {key: value for key, value in token.items() if key != "id"} for token in added_tokens
        },
        "additional_special_tokens": ["<|im_start|>", "<|im_end|>"],
        "bos_token": None,
        "clean_up_tokenization_spaces": False,
        "eos_token": "<|im_end|>",
        "errors": "replace",
        "model_max_length": 131072,
        "pad_token": "<|endoftext|>",
        "split_special_tokens": False,
        "tokenizer_class": "Qwen2Tokenizer",
        "unk_token": None,
    }
    return tokenizer, config


def strings(added_tokens):
    """The hard strings, llama.cpp's test strings, and the tokenizer's own added tokens within text."""
    result = HARD + BOUNDARIES + OTHER_SCRIPTS + test_strings()
    for token in added_tokens:
        result += [token, f"a{token}b", f" {token} {token}{token}\n", f"{token[:-1]} {token[1:]}", token.upper()]
    result.append("cafe\u0301" + added_tokens[0] + "\u0301e" + added_tokens[-1] + "'s 1234")
    return list(dict.fromkeys(result))


def write_goldens(folder):
    tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    through_transformers = transformers.AutoTokenizer.from_pretrained(folder)
    contents = [token.content for token in tokenizer.get_added_tokens_decoder().values()]
    encode = []
    for text in strings(contents):
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        assert through_transformers(text, add_special_tokens=False)["input_ids"] == ids, text
        encode.append(
            {
                "text": text,
                "ids": ids,
                "ids_with_special_tokens": tokenizer.encode(text).ids,
                "decoded": tokenizer.decode(ids, skip_special_tokens=False),
                "decoded_skip_special": tokenizer.decode(ids, skip_special_tokens=True),
            }
        )
    draw = random.Random(1)
    decode = []
    for count in (1, 2, 3, 5, 8, 13):
        for _ in range(4):
            ids = [draw.randrange(tokenizer.get_vocab_size()) for _ in range(count)]
            decode.append({"ids": ids, "text": tokenizer.decode(ids, skip_special_tokens=False)})
    llama = tokenizer.encode("🦙 é", add_special_tokens=False).ids
    decode += [{"ids": llama[:n], "text": tokenizer.decode(llama[:n])} for n in range(len(llama) + 1)]
    special = {
        "vocab_size": tokenizer.get_vocab_size(),
        "bos_token_id": through_transformers.bos_token_id,
        "eos_token_id": through_transformers.eos_token_id,
    }
    golden_io.save_json(folder / "goldens.json", {**special, "encode": encode, "decode": decode}, PEER)


def main():
    for make in (gpt2, llama3, qwen2):
        folder = OUT / make.__name__
        tokenizer, config = make()
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False) + "\n", encoding="utf-8")
        golden_io.save_json(folder / "tokenizer_config.json", config)
        write_goldens(folder)


if __name__ == "__main__":
    main()
