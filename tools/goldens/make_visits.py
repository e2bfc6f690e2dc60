"""Writes alignment/recipes/visits.jsonl: invented hospital stays, each as what happened in its order and two summaries.

The right summary keeps every date and number; the wrong one leaves an event out or changes a number of one. Nobody's data is in it.

    python tools/goldens/make_visits.py alignment/recipes/visits.jsonl
"""

import datetime
import json
import random
import sys

REASONS = ["fever", "chest pain", "a fall", "shortness of breath", "abdominal pain", "dizziness", "a cough", "back pain"]
TESTS = [("White cells", 4, 20, 1), ("Haemoglobin", 7, 16, 1), ("Potassium", 3, 6, 1), ("Creatinine", 60, 300, 0), ("Glucose", 4, 18, 1)]
DRUGS = [("ceftriaxone", 1, 2), ("paracetamol", 1, 4), ("heparin", 5, 20), ("furosemide", 20, 80), ("insulin", 4, 20)]
PLACES = ["home", "a nursing home", "a rehabilitation clinic"]


def stay(rng):
    day = datetime.date(2143, 1, 1) + datetime.timedelta(days=rng.randrange(330))
    reason, place = rng.choice(REASONS), rng.choice(PLACES)
    events = [(day, f"emergency: {reason}, temperature {rng.randrange(360, 402) / 10}")]
    facts = [f"Admitted on {day} with {reason}."]
    for _ in range(rng.randrange(2, 5)):
        day += datetime.timedelta(days=rng.randrange(3))
        if rng.random() < 0.5:
            name, low, high, digits = rng.choice(TESTS)
            value = f"{rng.uniform(low, high):.{digits}f}"
            events.append((day, f"laboratory: {name} {value}"))
            facts.append(f"{name} were {value}." if name == "White cells" else f"{name} was {value}.")
        else:
            name, low, high = rng.choice(DRUGS)
            value = rng.randrange(low, high + 1)
            events.append((day, f"drug: {name} {value} units"))
            facts.append(f"{name.capitalize()} {value} units was given.")
    day += datetime.timedelta(days=1)
    events.append((day, f"discharge: {place}"))
    facts.append(f"Discharged on {day} to {place}.")
    wrong = list(facts)
    place_of_error = rng.randrange(1, len(facts) - 1)
    if rng.random() < 0.5:
        del wrong[place_of_error]
    else:
        # Another digit for the last one of the fact.
        text = wrong[place_of_error]
        at = max(i for i, c in enumerate(text) if c.isdigit())
        wrong[place_of_error] = text[:at] + rng.choice([d for d in "0123456789" if d != text[at]]) + text[at + 1:]
    prompt = "\n".join(f"{when} {what}" for when, what in events) + "\nSummary:"
    return {"prompt": prompt, "chosen": " " + " ".join(facts), "rejected": " " + " ".join(wrong)}


def main():
    rng = random.Random(1)
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        for _ in range(200):
            file.write(json.dumps(stay(rng)) + "\n")


if __name__ == "__main__":
    main()
