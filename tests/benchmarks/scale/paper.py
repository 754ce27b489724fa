"""How rows, bytes and time grow with the numbers of a study: formulas, held against a run that was made.

Each formula is one text, shown and computed: what stands in the document cannot differ from what the figures are of.
Rates are those of the run of `quick` that comes with the package, bytes a row those of the published simulation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.config import Config
from pipeline.cost import estimate
from pipeline.cost.counts import counts
from pipeline.stages.best_of_n import MOST_VALUES

Sizes = Mapping[str, float]

LETTERS = {
    "M": "reward models",
    "P": "RM-test prompts",
    "R": "responses to each, of all sources and paraphrases together",
    "Q": "RL-test prompts",
    "N": "samples to each",
    "S": "strengths of best-of-n, log₂N + 1",
    "T": "training pairs",
    "U": "validation pairs",
    "O": "policies that are trained, one for each of some reward models",
    "C": "checkpoints of each",
    "V": "samples to each RL-test prompt at a checkpoint",
    "A": "answers to each RM-test prompt at the last checkpoint: 1, without trained policies 0",
    "H": "responses that a policy learns from",
    "E": "epochs on them",
    "K": "networks that learn: 2 with PPO, the policy and its critic; 1 with RLOO or GRPO",
    "W": "epochs of a reward model's training, head only",
    "L": "tokens of a response at most",
}

ROWS = {
    "response": "P*R + Q*N + O*(C*Q*V + A*P)",
    "preference": "T + U",
    "label": "M*T",
    "score": "M*(P*R + Q*N) + M*O*(C*Q*V + A*P)",
    "policy_value": "M*Q + M*O*C*Q",
    "policy_value of best-of-n": "M**2*S*Q",
}
"""Rows of the tables that grow, by the sizes of a study; values of best-of-n are kept up to `MOST_VALUES`."""

WORK = {
    "features": "2*(T + U)*(L + 60)",
    "reward_models": "2*T*M*W",
    "test_responses": "(P*R + Q*N)*(L + 15)",
    "scores": "(P*R + Q*N)*(L + 60)",
    "best_of_n": "Q*N*M**2",
    "ppo": "O*(H*(L + 15 + (7.75 + 12.6*E + (0.25 + 0.75*E)*K)*(L + 60)/30) + (C*Q*V + A*P)*(L + 15 + 0.75*(L + 60)))",
}
"""What the seconds of a stage grow with, reward models being heads on one trunk; as in `pipeline/cost/costs.py`.

Of policies: one of the trunk's 30 blocks learns, from responses that the policy samples, as those of SFT do not.
"""

_PAPER = {"P": 2733, "R": 8, "Q": 2733, "N": 64, "S": 7, "C": 3, "V": 2, "A": 1, "H": 8192, "E": 2, "K": 2, "W": 8}
_PAPER |= {"T": 105_348, "U": 7_052}
STUDIES: Mapping[str, Sizes] = {
    "10 reward models": {"M": 10, "O": 10, "L": 256, **_PAPER},
    "100 reward models": {"M": 100, "O": 100, "L": 256, **_PAPER},
    "100, 10 × the prompts": {"M": 100, "O": 100, "L": 256, **_PAPER, "P": 27_330, "Q": 27_330},
}


def of(formula: str, sizes: Sizes) -> float:
    """The formula's value for these sizes."""
    return float(eval(formula, {"__builtins__": {}}, dict(sizes)))  # a text of this file, none of a user's


def shown(formula: str) -> str:
    """The formula as it is written on paper."""
    return formula.replace("**2", "²").replace("*", "·")


def reference_sizes() -> Sizes:
    """The sizes of the run of `quick` that comes with the package."""
    run = estimate.reference()
    units = {stage: int(run.stages[stage]["units"]) for stage in ("preferences", "test_responses")}
    return sizes_of(run.config, pairs=units["preferences"], test_texts=units["test_responses"])


def sizes_of(config: Config, *, pairs: int, test_texts: int) -> dict[str, float]:
    """The sizes of a run whose policies one algorithm trains, which has to sample what it learns from."""
    counted = counts(config)
    (own,) = counted.trained
    assert own.algorithm != "sft"
    P, Q = (counted.prompts[split] for split in ("rm_test", "rl_test"))
    N = config.test.rl_test_samples
    validation = round(config.preferences.validation_share * pairs)
    C = len(own.settings.checkpoints)
    return {
        "M": len(config.reward_models.plans),
        "O": own.number,
        "P": P,
        "R": (test_texts - Q * N) / P,
        "Q": Q,
        "N": N,
        "S": len(config.best_of_n),
        "T": pairs - validation,
        "U": validation,
        "C": C,
        "V": (own.checkpoint_texts - P) / (C * Q),
        "A": 1,
        "H": own.settings.steps * own.settings.batch_responses,
        "E": own.settings.epochs,
        "K": 2 if own.algorithm == "ppo" else 1,
        "W": config.reward_models.epochs,
        "L": config.policy.max_new_tokens,
    }


def seconds(stage: str, sizes: Sizes) -> float:
    """Seconds of a stage on the reference's machine with its model."""
    times = of(WORK[stage], sizes) / of(WORK[stage], reference_sizes())
    return float(estimate.reference().stages[stage]["work_s"]) * times


def section(tables: Mapping[str, tuple[int, int]]) -> str:
    """The growth as it stands in the document; `tables` are rows and bytes of the tables of a published run."""
    reference = estimate.reference()
    studies = {"`quick`": reference_sizes(), **STUDIES}
    lines = [*(f"- {letter}: {meaning}" for letter, meaning in LETTERS.items()), ""]
    sizes_of = [(letter, *(f"{one[letter]:,g}" for one in studies.values())) for letter in LETTERS]
    lines += _table(("sizes", *studies), sizes_of)
    lines += ["", "Rows, and bytes in the warehouse at the bytes a row that the simulated one has:", ""]
    rows = []
    total = dict.fromkeys(studies, 0.0)
    for table, formula in ROWS.items():
        count, size_bytes = tables[table.split()[0]]
        each = size_bytes / count
        cells = []
        for name, sizes in studies.items():
            wanted = of(formula, sizes)
            kept = "best-of-n" not in table or wanted <= MOST_VALUES
            total[name] += each * wanted * kept
            cells.append(f"{wanted:,.0f}" if kept else f"not kept: {wanted:,.0f}")
        rows.append((table, shown(formula), f"{each:.1f}", *cells))
    rows.append(("together, GB", "", "", *(f"{one / 1e9:,.3f}" for one in total.values())))
    lines += _table(("table", "rows", "bytes a row", *studies), rows)
    model = reference.config.policy.model
    lines += ["", f"Hours at the rates of {model} in {reference.name}:", ""]
    rows, total = [], dict.fromkeys(studies, 0.0)
    for stage, formula in WORK.items():
        found = {name: seconds(stage, sizes) for name, sizes in studies.items()}
        for name, one in found.items():
            total[name] += one
        rows.append((stage, shown(formula), *(f"{one / 3600:,.2f}" for one in found.values())))
    rows.append(("together", "", *(f"{one / 3600:,.2f}" for one in total.values())))
    tokens = ((sizes["P"] * sizes["R"] + sizes["Q"] * sizes["N"]) * sizes["L"] for sizes in studies.values())
    rows.append(("tokens sampled for the tests at most, millions", "", *(f"{one / 1e6:,.1f}" for one in tokens)))
    return "\n".join([*lines, *_table(("stage", "proportional to", *studies), rows)])


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    width = len(head)
    return [_row(head), _row(["---"] * width), *map(_row, rows)]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
