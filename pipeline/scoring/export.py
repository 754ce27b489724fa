"""A run's reward model, written as a Hugging Face folder that other tools load: `righttree export-rm`."""

from __future__ import annotations

from pathlib import Path

from pipeline import runs
from pipeline.errors import InvalidConfig, write_errors
from pipeline.models.installed import require_pipeline
from pipeline.scoring.texts import of_pairs
from warehouse import files

DTYPES = ("float32", "bfloat16")
_TRIED = [("Name a colour.", "Blue."), ("What is 2 + 3?", "")]
_TRIED_PAIRS = 50


def export_rm(data: Path, run_id: str, reward_model_id: str, target: Path, dtype: str = DTYPES[0]) -> str:
    """Write a reward model that a run has trained into the new folder `target`; returns the line to print.

    Raises UnknownRun, InvalidConfig for a name, type or folder that will not do, ModelUnavailable for weights that are
    gone, for a base that cannot be written so and where the extra `pipeline` is not installed, NotWritten if the disk
    refuses.
    """
    require_pipeline()
    run = runs.open_run(data, run_id)
    if dtype not in DTYPES:
        raise InvalidConfig(f"dtype {dtype!r} is not known; give one of {', '.join(DTYPES)}")
    if target.exists() or target.is_symlink():
        raise InvalidConfig(f"{target} exists already; name a folder that does not")
    there = dict(run.read("reward_model").sort("reward_model_id").select("reward_model_id", "weights").iter_rows())
    trained = [name for name, weights in there.items() if weights is not None]
    if reward_model_id not in trained:
        why = "was made elsewhere" if reward_model_id in there else "is not there"
        raise InvalidConfig(
            f"reward model {reward_model_id!r} of run {run_id} {why}; it has trained {', '.join(trained) or 'none yet'}"
        )
    from pipeline.models.language_model import load
    from pipeline.models.reward_model import load_reward_model
    from pipeline.models.sequence_classification import save

    language_model = load(run.config.policy.model, run.config.threads)
    reward_model = load_reward_model(run.path / there[reward_model_id], language_model)
    texts = [*_TRIED, *of_pairs(run.read("preference").head(_TRIED_PAIRS))]
    with write_errors(target, "export to another folder"):
        target.parent.mkdir(parents=True, exist_ok=True)
        with files.replacing(target) as draft:
            draft.mkdir()
            save(language_model, reward_model, draft, dtype, texts)
    return (
        f"{reward_model_id} of {run_id} is in {target}, {dtype}: a sequence classifier with one label, head `score`; "
        "OpenRLHF takes it as --reward.model_name_or_path"
    )
