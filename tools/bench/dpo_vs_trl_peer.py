"""TRL's half of dpo_vs_trl: a run of DPOTrainer, described by a line of JSON; another line says how long it took."""

import json
import os
import sys
import time

os.environ["TQDM_DISABLE"] = "1"

import datasets
import torch
import transformers
import trl


class Clock(transformers.TrainerCallback):
    """The seconds between the first step's begin and the last one's end."""

    def on_train_begin(self, *arguments, **options):
        self.begin = time.perf_counter()

    def on_step_end(self, *arguments, **options):
        self.end = time.perf_counter()


class TimedTrainer(trl.DPOTrainer):
    reference_seconds = 0.0

    def _precompute_ref_logps(self, *arguments, **options):
        begin = time.perf_counter()
        result = super()._precompute_ref_logps(*arguments, **options)
        self.reference_seconds += time.perf_counter() - begin
        return result


def main():
    request = json.loads(sys.argv[1])
    transformers.logging.set_verbosity_error()
    datasets.disable_progress_bars()
    torch.set_num_threads(request["threads"])
    options = {key: request[key] for key in ("bf16", "gradient_checkpointing", "precompute_ref_log_probs") if key in request}
    accumulate = request.get("accumulate", 1)
    arguments = trl.DPOConfig(
        output_dir=request["output"], max_steps=request["steps"], per_device_train_batch_size=request["batch_size"] // accumulate,
        gradient_accumulation_steps=accumulate, learning_rate=1e-6, max_length=request["max_length"], use_cpu=True,
        logging_steps=1, logging_first_step=True, save_strategy="no", report_to="none", disable_tqdm=True,
        dataloader_pin_memory=False, train_sampling_strategy="sequential", seed=1, **options)
    peft_config = None
    if request["lora"]:
        import peft

        peft_config = peft.LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")
    tokenizer = transformers.AutoTokenizer.from_pretrained(request["model"])
    model = transformers.AutoModelForCausalLM.from_pretrained(request["model"], dtype=torch.float32)
    pairs = datasets.Dataset.from_list([json.loads(line) for line in open(request["pairs"])])
    clock = Clock()
    trainer = TimedTrainer(model=model, args=arguments, train_dataset=pairs, processing_class=tokenizer, peft_config=peft_config,
                           callbacks=[clock])
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    print(json.dumps({"seconds": trainer.reference_seconds + clock.end - clock.begin, "reference": trainer.reference_seconds,
                      "losses": losses}))


if __name__ == "__main__":
    main()
