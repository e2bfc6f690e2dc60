"""Preference rows and the tokens that TRL's DPOTrainer makes of them.

Makes common/data/testdata/preference/<name>.json: the tokenizer (a folder of testdata/tokenizers), the chat template (a
folder of testdata/chat_templates), the arguments, the rows as a user writes them, and for each row what TRL's
own _prepare_dataset and collator make of it: prompt, chosen and rejected after extraction of an implicit prompt and the
adding of EOS; prompt_ids, chosen_ids, rejected_ids; `dropped`; and the two truncated sequences with their completion masks.

    python tools/goldens/make_preference.py
"""

import json
import warnings

import datasets
import golden_io
import transformers
import trl
import trl.trainer.dpo_trainer as dpo

datasets.disable_caching()
datasets.disable_progress_bars()
warnings.simplefilter("ignore")

DATA = golden_io.ROOT / "common/data/testdata"
PEER = golden_io.peers("trl", "transformers", "tokenizers")


def pair(prompt, chosen, rejected):
    return {"prompt": prompt, "chosen": chosen, "rejected": rejected}


def implicit(chosen, rejected):
    return {"chosen": chosen, "rejected": rejected}


# Rows on which TRL's extract_prompt does what nobody wants. They carry a `quirk`, for a test to treat apart.
QUIRKS = {
    ("Yes and more", "Yes"): "one answer is the start of the other: TRL leaves its last character out of the prompt",
    ("no ", "yes"): "nothing in common, but chosen ends in a space: TRL steps back to index -1",
}


def user(content):
    return {"role": "user", "content": content}


def assistant(content):
    return {"role": "assistant", "content": content}


PLAIN = [
    pair("The sky is", " blue.", " green."),
    pair("The sky is ", "blue.", "green."),  # the prompt's last space merges with the answer
    pair("12", "34", "56 7"),  # digits merge across the boundary
    pair("Question: what's up?\nAnswer:", " Not much\n", "\nNothing"),
    pair("Question: what's up?\n\n", "\nNot much", "Nothing"),  # line breaks merge in one answer only
    pair("it'", "Sfun", "s fun"),
    pair("", "An answer without a prompt", "Another"),
    pair("Same answers", " yes", " yes"),
    pair("An empty answer", "", " something"),
    pair("Ends already<EOS>", " in EOS<EOS>", " not in EOS"),
    pair("EOS within", " one<EOS> two", " one<EOS>\n"),
    pair("Naïve café 日本語 🦙", " 日本", " 🦙🦙"),
    pair("cafe", "\u0301 combines with the prompt", " does not"),
    pair("the the the the the the the the the the the the", " end", " the end of this long answer, which is cut"),
    pair("long " * 40, "no room for this", "nor for that"),
    pair("Long answers:", " word" * 40, " w" * 60),
]
IMPLICIT_PLAIN = [
    implicit("\n\nHuman: Hi\n\nAssistant: Hello there", "\n\nHuman: Hi\n\nAssistant: Go away"),
    implicit("The sky is blue.", "The sky is green."),
    implicit("The sky is blue.", "The sky is black."),  # the common prefix ends within a word
    implicit("I like red apples", "I like red grapes, too"),
    implicit("Yes.", "No."),  # nothing in common
    implicit("Yes and more", "Yes"),  # one answer is the start of the other
    implicit("Äpfel 🦙 x", "Äpfel 🦙 y"),
    implicit("no ", "yes"),  # nothing in common, and chosen ends in a space
]
CHAT = [
    pair([user("Hi")], [assistant("Hello!")], [assistant("Go away.")]),
    pair([{"role": "system", "content": "Be kind."}, user("Hi")], [assistant("Hello!")], [assistant("No.")]),
    pair([user("One"), assistant("1"), user("Two")], [assistant("2")], [assistant("3")]),
    pair([user("Hi")], [assistant(" spaces ")], [assistant("\nlines\n")]),
    pair([user("Hi")], [assistant("")], [assistant("x")]),
    pair([user("Hi")], [assistant("A"), user("B"), assistant("C")], [assistant("A"), user("D"), assistant("E")]),
    pair([user("long " * 40)], [assistant("no room")], [assistant("none")]),
    pair([user("Hi")], [assistant("word " * 40)], [assistant("w " * 60)]),
]
IMPLICIT_CHAT = [
    implicit([user("Hi"), assistant("Hello!")], [user("Hi"), assistant("Go away.")]),
    implicit(
        [user("One"), assistant("1"), user("Two"), assistant("2")], [user("One"), assistant("1"), user("Two"), assistant("3")]
    ),
    implicit([user("One"), assistant("1"), user("B"), assistant("2")], [user("One"), assistant("1"), user("C"), assistant("3")]),
]

CASES = {
    "plain_qwen2": ("qwen2", None, PLAIN, {}),
    "plain_llama3": ("llama3", None, PLAIN, {}),  # its post-processor puts a BOS
    "plain_keep_end": ("llama3", None, PLAIN, {"truncation_mode": "keep_end"}),
    "implicit_plain": ("llama3", None, IMPLICIT_PLAIN, {}),
    "chat_chatml": ("qwen2", "chatml", CHAT, {}),
    "chat_qwen2_5": ("qwen2", "qwen2_5", CHAT, {"max_length": 96}),
    "chat_llama3": ("llama3", "llama3", CHAT, {"max_length": 96}),
    "chat_keep_end": ("llama3", "llama3", CHAT, {"max_length": 24, "truncation_mode": "keep_end"}),
    "chat_zephyr": ("qwen2", "zephyr", CHAT, {}),
    "implicit_chat": ("qwen2", "chatml", IMPLICIT_CHAT, {}),
}


def load_tokenizer(tokenizer_name, template_name):
    tokenizer = transformers.AutoTokenizer.from_pretrained(DATA / "tokenizers" / tokenizer_name)
    if template_name is not None:
        config = json.loads((DATA / "chat_templates" / template_name / "tokenizer_config.json").read_text())
        tokenizer.chat_template = config["chat_template"]
    return tokenizer


def truncated(collator, row):
    """[(ids, completion mask)] of chosen and rejected, without the padding."""
    batch = collator.torch_call([row])
    result = []
    for ids, mask, attended in zip(batch["input_ids"], batch["completion_mask"], batch["attention_mask"], strict=True):
        result.append((ids[attended.bool()].tolist(), mask[attended.bool()].tolist()))
    return result


def prepare(rows, tokenizer, args):
    """What TRL makes of each row. A row at a time, so that a dropped one is known."""
    trainer = object.__new__(trl.DPOTrainer)  # _prepare_dataset needs nothing of a trainer but its tokenizer
    trainer._tokenizer = tokenizer
    collator = dpo.DataCollatorForPreference(
        pad_token_id=0, max_length=args.max_length, truncation_mode=args.truncation_mode
    )
    result = []
    for row in rows:
        args.max_length, limit = None, args.max_length
        prepared = trainer._prepare_dataset(datasets.Dataset.from_list([row]), tokenizer, args, "train")
        args.max_length = limit
        kept = trainer._prepare_dataset(datasets.Dataset.from_list([row]), tokenizer, args, "train")
        expected = dict(prepared[0])
        expected["dropped"] = len(kept) == 0
        if not expected["dropped"]:
            for name, (ids, mask) in zip(("chosen", "rejected"), truncated(collator, prepared[0]), strict=True):
                expected[f"{name}_input_ids"] = ids
                expected[f"{name}_completion_mask"] = mask
        quirk = None if "prompt" in row else QUIRKS.get((str(row["chosen"]), str(row["rejected"])))
        result.append({"row": row, **({"quirk": quirk} if quirk else {}), "expected": expected})
    return result


def main():
    for name, (tokenizer_name, template_name, rows, options) in CASES.items():
        tokenizer = load_tokenizer(tokenizer_name, template_name)
        rows = json.loads(json.dumps(rows).replace("<EOS>", tokenizer.eos_token))
        args = trl.DPOConfig("unused", bf16=False, use_cpu=True, **{"max_length": 32, **options})
        value = {
            "tokenizer": tokenizer_name,
            "chat_template": template_name,
            "max_length": args.max_length,
            "truncation_mode": args.truncation_mode,
            "rows": prepare(rows, tokenizer, args),
        }
        golden_io.save_json(DATA / "preference" / f"{name}.json", value, PEER)


if __name__ == "__main__":
    main()
