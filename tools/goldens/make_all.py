"""Makes every golden file again, one family after the other.

    python tools/goldens/make_all.py
"""

import pathlib
import subprocess
import sys

FAMILIES = ["make_safetensors.py", 
    "make_models.py",
    "make_lora.py",
    "make_tokenizers.py",
    "make_bpe_trainer.py",
    "make_chat_templates.py",
    "make_preference.py",
    "make_optimizer_golden.py",
    "make_dp_accounting.py",
    "make_botorch_bayesian.py",
    "make_lbfgsb.py",
    "make_trl_dpo.py",
    "make_trl_sft.py",
    "make_trl_kto.py",
    "make_trl_reward.py",
    "make_losses.py",
    "make_trainer_losses.py",
]


def main():
    folder = pathlib.Path(__file__).resolve().parent
    for family in FAMILIES:
        print(family, flush=True)
        subprocess.run([sys.executable, folder / family], check=True)


if __name__ == "__main__":
    main()
