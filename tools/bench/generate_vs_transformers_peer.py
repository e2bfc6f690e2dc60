"""transformers' half of generate_vs_transformers: generate() for prompts that come as lines of JSON."""

import json
import sys
import time

import torch
import transformers


def generate(model, cache, prompts, max_new_tokens):
    """The new token ids, and the seconds that generate() took."""
    longest = max(len(prompt) for prompt in prompts)
    ids = torch.tensor([[0] * (longest - len(prompt)) + prompt for prompt in prompts])
    mask = torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts])
    # Without the compilation that a static cache asks for elsewhere: it takes longer than the rounds.
    options = {} if cache == "dynamic" else {"cache_implementation": cache, "disable_compile": True}
    begin = time.perf_counter()
    with torch.inference_mode():
        whole = model.generate(input_ids=ids, attention_mask=mask, do_sample=False, max_new_tokens=max_new_tokens,
                               pad_token_id=0, **options)
    return whole[:, longest:].tolist(), time.perf_counter() - begin


def main():
    folder, cache = sys.argv[1:]
    transformers.logging.set_verbosity_error()
    # sdpa is the fastest attention that it has for the CPU.
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32,
                                                              attn_implementation="sdpa").eval()
    for line in sys.stdin:
        request = json.loads(line)
        if "ids" in request:
            with torch.inference_mode():
                logits = model(torch.tensor([request["ids"]])).logits[0, -1]
            answer = {"logits": [logits[token].item() for token in request["tokens"]]}
        else:
            tokens, seconds = generate(model, cache, request["prompts"], request["max_new_tokens"])
            answer = {"tokens": tokens, "seconds": seconds}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
