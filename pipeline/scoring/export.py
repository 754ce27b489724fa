"""`righttree export-rm`: writes a trained reward model of a run as a Hugging Face folder that other tools load."""

from __future__ import annotations

import shutil
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
    """Write a trained reward model into the new folder `target`; returns the line to print.

    Raises UnknownRun, InvalidConfig for an invalid name, type or folder, ModelUnavailable for missing weights, for a
    base that cannot be exported and without the extra `pipeline`, NotWritten if the disk refuses.
    """
    require_pipeline()
    run = runs.open_run(data, run_id)
    if dtype not in DTYPES:
        raise InvalidConfig(f"dtype {dtype!r} is unknown; give one of {', '.join(DTYPES)}")
    if target.exists() or target.is_symlink():
        raise InvalidConfig(f"{target} exists already; name a folder that does not")
    weights = dict(run.read("reward_model").sort("reward_model_id").select("reward_model_id", "weights").iter_rows())
    trained = [name for name, path in weights.items() if path is not None]
    if reward_model_id not in trained:
        why = "was trained elsewhere" if reward_model_id in weights else "is unknown"
        raise InvalidConfig(
            f"reward model {reward_model_id!r} of run {run_id} {why}; the run has trained "
            f"{', '.join(trained) or 'none yet'}"
        )
    if run.config.reward_models.engine == "openrlhf":
        with write_errors(target, "export to another folder"):
            target.parent.mkdir(parents=True, exist_ok=True)
            with files.replacing(target) as draft:
                shutil.copytree(run.path / weights[reward_model_id], draft)
        return f"{reward_model_id} of {run_id} is in {target}, bfloat16, as OpenRLHF saved it"
    from pipeline.models.language_model import load
    from pipeline.models.reward_model import load_reward_model
    from pipeline.models.sequence_classification import save

    language_model = load(run.config.policy.model, run.config.threads)
    reward_model = load_reward_model(run.path / weights[reward_model_id], language_model)
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
