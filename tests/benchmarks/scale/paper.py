"""How rows, bytes and time grow with the numbers of a study: formulas, held against a run that was made.

Each formula is one text, shown and computed: what stands in the document cannot differ from what the figures are of.
Rates are those of the run of `quick` that comes with the package, bytes a row those of the published simulation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.cost import estimate
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
    "C": "checkpoints of PPO",
    "V": "samples to each RL-test prompt at a checkpoint",
    "A": "answers to each RM-test prompt at the last checkpoint: 1, without PPO 0",
    "H": "responses that PPO learns from, per reward model",
    "E": "PPO's epochs on them",
    "W": "epochs of a reward model's training, head only",
    "L": "tokens of a response at most",
}

ROWS = {
    "response": "P*R + Q*N + M*(C*Q*V + A*P)",
    "preference": "T + U",
    "label": "M*T",
    "score": "M*(P*R + Q*N) + M**2*(C*Q*V + A*P)",
    "policy_value": "M*Q + M**2*C*Q",
    "policy_value of best-of-n": "M**2*S*Q",
}
"""Rows of the tables that grow, by the sizes of a study; values of best-of-n are kept up to `MOST_VALUES`."""

WORK = {
    "features": "2*(T + U)*(L + 60)",
    "reward_models": "2*T*M*W",
    "test_responses": "(P*R + Q*N)*(L + 15)",
    "scores": "(P*R + Q*N)*(L + 60)",
    "best_of_n": "Q*N*M**2",
    "ppo": "M*(H*(L + 15 + (0.275 + 0.47*E)*(L + 60)) + (C*Q*V + A*P)*(L + 15 + 0.75*(L + 60)))",
}
"""What the seconds of a stage grow with, reward models being heads on one trunk; as in `pipeline/cost/costs.py`."""

_PAPER = {"P": 2733, "R": 8, "Q": 2733, "N": 64, "S": 7, "C": 3, "V": 2, "A": 1, "H": 8192, "E": 2, "W": 8}
_PAPER |= {"T": 105_348, "U": 7_052}
STUDIES: Mapping[str, Sizes] = {
    "10 reward models": {"M": 10, "L": 256, **_PAPER},
    "100 reward models": {"M": 100, "L": 256, **_PAPER},
    "100, 10 × the prompts": {"M": 100, "L": 256, **_PAPER, "P": 27_330, "Q": 27_330},
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
    config = run.config
    assert config.ppo is not None
    categories = len(config.prompts.categories)
    P, Q = (categories * getattr(config.prompts, f"{split}_per_category") for split in ("rm_test", "rl_test"))
    N, pairs = config.test.rl_test_samples, run.stages["preferences"]["units"]
    validation = round(config.preferences.validation_share * pairs)
    return {
        "M": len(config.reward_models.plans),
        "P": P,
        "R": (run.stages["test_responses"]["units"] - Q * N) / P,
        "Q": Q,
        "N": N,
        "S": len(config.best_of_n),
        "T": pairs - validation,
        "U": validation,
        "C": len(config.ppo.checkpoints),
        "V": config.ppo.test_samples,
        "A": 1,
        "H": config.ppo.steps * config.ppo.batch_responses,
        "E": config.ppo.epochs,
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
