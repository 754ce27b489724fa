"""The weights of a saved model by name, from safetensors alone.

A file of pickles can run any code when it is read, so it is refused, with the line that converts it.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

from huggingface_hub import snapshot_download
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from pipeline.errors import ModelUnavailable

ADAPTER = "adapter_model.safetensors"
VALUE_HEAD = "value_head.safetensors"
"""Where LLaMA-Factory saves the head, beside the weights of a causal model."""
UNREADABLE = (OSError, ValueError, KeyError, TypeError, ImportError, RuntimeError, SafetensorError)
"""What reading a model that is damaged, incomplete or out of reach raises."""

_MODEL, _INDEX = "model.safetensors", "model.safetensors.index.json"
_PICKLES = (".bin", ".pt", ".pth")
_OF_THE_TRAINER = re.compile(r"^(training_args|optimizer|scheduler|scaler|rng_state)")
_WRAPPERS = re.compile(r"^(pretrained_model|module|_orig_mod)\.")
_SUFFIXES = (".safetensors", ".json", ".jinja", ".model", ".txt")
_FILES = [f"*{suffix}" for suffix in _SUFFIXES]
_CONVERSION = (
    "import sys, torch; from safetensors.torch import save_file; "
    "[save_file({name: tensor.clone() for name, tensor in torch.load(path, map_location='cpu', weights_only=True)"
    ".items()}, path.rsplit('.', 1)[0].replace('pytorch_model', 'model') + '.safetensors', {'format': 'pt'}) "
    "for path in sys.argv[1:]]"
)


def local_folder(model: str, revision: str | None = None) -> Path:
    """The folder of a model: itself, or where the files of a hub id are kept, at a revision or the newest.

    Raises ModelUnavailable for a folder that is not of this revision, and for a hub id that cannot be reached.
    """
    if Path(model).is_dir():
        if revision is not None and folder_revision(Path(model)) != revision:
            raise ModelUnavailable(f"the files in {model} are not those that were added; put them back")
        return Path(model)
    try:
        return Path(snapshot_download(model, revision=revision, allow_patterns=_FILES, ignore_patterns=["*/*"]))
    except UNREADABLE as error:
        raise unavailable(model, error) from error


def own_revision(model: str, revision: str | None = None) -> str:
    """What pins a model: `sha256:…` of a folder's files, or the commit of a hub id at a revision or the newest.

    Raises ModelUnavailable if the model does not exist.
    """
    folder = local_folder(model, None if Path(model).is_dir() else revision)
    return folder_revision(folder) if Path(model).is_dir() else folder.name


def folder_revision(folder: Path) -> str:
    """SHA-256 of the names and contents of a folder's weights, settings and tokenizer."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.iterdir() if path.is_file() and path.suffix in _SUFFIXES):
        with path.open("rb") as file:
            digest.update(f"{path.name} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return f"sha256:{digest.hexdigest()}"


def model_weights(folder: Path) -> dict[str, Tensor]:
    """All weights of the model in a folder, of one file or several, without the value head beside them.

    Raises ModelUnavailable if there are none, if they are pickles, or if a file is damaged.
    """
    files = _model_files(folder)
    if not files:
        raise _no_weights(folder, _MODEL)
    return {name: tensor for file in files for name, tensor in file_weights(file).items()}


def file_weights(path: Path) -> dict[str, Tensor]:
    """The weights in one file, named without the wrappers that they were trained in. Raises ModelUnavailable."""
    if not path.is_file():
        raise _no_weights(path.parent, path.name)
    try:
        return {_WRAPPERS.sub("", name): tensor for name, tensor in load_file(path).items()}
    except UNREADABLE as error:
        raise unavailable(path, error) from error


def json_file(path: Path) -> dict[str, object]:
    """A JSON object from a model's folder. Raises ModelUnavailable."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise unavailable(path, error) from error
    if not isinstance(value, dict):
        raise ModelUnavailable(f"{path} is no JSON object; save the model again")
    return value


def has_model_weights(folder: Path) -> bool:
    """Whether a folder has the weights of a whole model, not only an adapter."""
    return bool(_model_files(folder))


def unavailable(model: object, error: BaseException) -> ModelUnavailable:
    """The error, in one line, for a model that cannot be read."""
    why = next(iter(str(error).splitlines()), type(error).__name__)
    missing = "" if Path(str(model)).exists() else f"there is no folder {model}, and the "
    return ModelUnavailable(
        f"{missing}model {str(model)!r} cannot be loaded as a reward model ({why}); give a folder with safetensors and "
        "a tokenizer, or a hub id that is reachable"
    )


def _model_files(folder: Path) -> list[Path]:
    if (folder / _INDEX).is_file():
        files = json_file(folder / _INDEX).get("weight_map")
        names = {Path(str(file)).name for file in files.values()} if isinstance(files, dict) else set()
        return [folder / name for name in sorted(names)]
    if (folder / _MODEL).is_file():
        return [folder / _MODEL]
    return sorted(path for path in folder.glob("*.safetensors") if path.name not in (ADAPTER, VALUE_HEAD))


def _no_weights(folder: Path, name: str) -> ModelUnavailable:
    pickles = [
        str(path)
        for path in sorted(folder.iterdir())
        if path.suffix in _PICKLES and not _OF_THE_TRAINER.match(path.name)
    ]
    if not pickles:
        return ModelUnavailable(f"model {str(folder)!r} has no {name}; give a folder with weights in safetensors")
    return ModelUnavailable(
        f"model {str(folder)!r} has no {name}, its weights are pickles, which can run any code and are not loaded; if "
        f'you trust them, convert them: python -c "{_CONVERSION}" {" ".join(pickles)}'
    )
