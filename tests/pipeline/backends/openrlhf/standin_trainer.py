"""A small trainer that stands in for OpenRLHF's: its command line, log and folders, and real updates of the policy.

It runs as `python -m openrlhf.cli.train_ppo_ray`, reads the arguments by OpenRLHF's own parser with OpenRLHF's own
checks, logs through OpenRLHF's own logger, and leaves what OpenRLHF leaves. Between these it is plain REINFORCE with
the mean of the batch as the baseline, on one CPU, for models of a few thousand weights: no part of OpenRLHF's training.

`STANDIN_TROUBLE`, JSON, maps what the advantage estimator and the reward model's path begin and end with, as
`rloo:flip-0.40`, to what goes wrong before it trains, or `late`, after its first checkpoint; `STANDIN_PAUSE_S` is how
long it rests after every step.
"""

import json
import math
import os
import sys
import time
from pathlib import Path

from openrlhf.launch import args
from openrlhf.utils.logging_utils import init_logger

logger = init_logger("openrlhf.trainer.ppo_trainer")


def trouble():
    asked = json.loads(os.environ.get("STANDIN_TROUBLE", "{}"))
    return asked.get(f"{args.algo.advantage.estimator}:{Path(args.reward.model_name_or_path).name}")


if trouble() == "crash":
    raise RuntimeError("CUDA error: an illegal memory access was encountered")
if trouble() == "hang":
    print("all workers wait for each other", flush=True)
    time.sleep(600)
if trouble() == "no number":
    logger.info(f"✨ Global step 1: { {'policy_loss': math.nan, 'rollout/reward_mean': 0.5} }")
    time.sleep(600)
if trouble() == "no checkpoint":
    sys.exit(0)

import torch  # noqa: E402
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer  # noqa: E402


def load():
    torch.set_num_threads(1)
    torch.manual_seed(args.train.seed)
    tokenizer = AutoTokenizer.from_pretrained(args.actor.model_name_or_path)
    policy = AutoModelForCausalLM.from_pretrained(args.actor.model_name_or_path, dtype=torch.float32)
    reward_tokenizer = AutoTokenizer.from_pretrained(args.reward.model_name_or_path)
    reward = AutoModelForSequenceClassification.from_pretrained(args.reward.model_name_or_path, dtype=torch.float32)
    assert args.critic.model_name_or_path is None or Path(args.critic.model_name_or_path).is_dir()
    return policy.train(), tokenizer, reward.eval(), reward_tokenizer


@torch.no_grad()
def roll_out(policy, tokenizer, prompts):
    """Prompts as they are shown, (prompt, response) token ids, and whether each response ended by itself."""
    found = []
    for prompt in prompts:
        turn = [{"role": "user", "content": prompt}]
        shown = tokenizer.apply_chat_template(turn, tokenize=False, add_generation_prompt=True)
        ids = tokenizer(shown, add_special_tokens=False, return_tensors="pt")["input_ids"]
        made = policy.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            do_sample=True,
            temperature=args.rollout.temperature,
            top_k=0,
            max_new_tokens=args.rollout.max_new_tokens,
            num_return_sequences=args.rollout.n_samples_per_prompt,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.eos_token_id,
        )
        for row in made[:, ids.shape[1] :].tolist():
            length = row.index(tokenizer.eos_token_id) + 1 if tokenizer.eos_token_id in row else len(row)
            found.append((ids[0].tolist(), row[:length], row[length - 1] == tokenizer.eos_token_id))
    return found


def learn(policy, optimizer, rollouts, rewards):
    advantages = rewards - rewards.mean()
    losses = []
    optimizer.zero_grad()
    for (prompt, response, _), advantage in zip(rollouts, advantages, strict=True):
        logits = policy(input_ids=torch.tensor([[*prompt, *response]])).logits[0, len(prompt) - 1 : -1]
        log_p = (logits / args.rollout.temperature).log_softmax(-1)[range(len(response)), response]
        loss = -(advantage * log_p).mean() / len(rollouts)
        loss.backward()
        losses.append(loss.item())
    torch.nn.utils.clip_grad_norm_(policy.parameters(), args.actor.max_norm)
    optimizer.step()
    return sum(losses)


def save(policy, tokenizer, folder):
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: weight.to(torch.bfloat16) for name, weight in policy.state_dict().items()}
    policy.save_pretrained(folder, state_dict=weights)
    policy.config.to_json_file(folder / "config.json")
    tokenizer.save_pretrained(folder)


def main():
    policy, tokenizer, reward, reward_tokenizer = load()
    optimizer = torch.optim.Adam(policy.parameters(), lr=args.actor.adam.lr)
    states, step = Path(args.ckpt.path) / "_actor", 0
    if args.ckpt.load_enable and states.exists():
        kept = torch.load(states / (states / "latest").read_text() / "state.pt")
        policy.load_state_dict(kept["policy"])
        optimizer.load_state_dict(kept["optimizer"])
        step = kept["global_step"]
    lines = Path(args.data.prompt_dataset).read_text(encoding="utf-8").splitlines()[: args.data.max_samples]
    prompts = [json.loads(line)[args.data.input_key] for line in lines]
    size = args.rollout.batch_size
    while (step + 1) * size <= len(prompts):
        begun = time.time()
        rollouts = roll_out(policy, tokenizer, prompts[step * size : (step + 1) * size])
        texts = [tokenizer.decode([*prompt, *response]) for prompt, response, _ in rollouts]
        with torch.no_grad():
            read = [reward_tokenizer(text, add_special_tokens=False, return_tensors="pt") for text in texts]
            rewards = torch.cat([reward(input_ids=one["input_ids"]).logits[:, 0] for one in read])
        logger.info(f"Sample: {[texts[0], rewards[0].item()]}")
        status = {"policy_loss": learn(policy, optimizer, rollouts, rewards)}
        lengths = torch.tensor([len(response) for _, response, _ in rollouts], dtype=torch.float32)
        status["timing/ppo_train"] = time.time() - begun
        status["rollout/reward_mean"] = rewards.mean().item()
        status["rollout/reward_std"] = rewards.std().item()
        status["rollout/response_length_mean"] = lengths.mean().item()
        status["rollout/truncated_rate"] = sum(not ended for *_, ended in rollouts) / len(rollouts)
        status["rollout/num_samples"] = float(len(rollouts))
        step += 1
        logger.info(f"✨ Global step {step}: {status}")
        if step % args.ckpt.save_steps == 0:
            tag = f"global_step{step}"
            (states / tag).mkdir(parents=True, exist_ok=True)
            kept = {"policy": policy.state_dict(), "optimizer": optimizer.state_dict(), "global_step": step}
            torch.save(kept, states / tag / "state.pt")
            (states / "latest").write_text(tag)
            save(policy, tokenizer, Path(args.ckpt.path) / f"global_step{step}_hf")
            if trouble() == "late":
                raise RuntimeError("CUDA out of memory")
        time.sleep(float(os.environ.get("STANDIN_PAUSE_S", "0")))
    save(policy, tokenizer, Path(args.ckpt.output_dir))


main()
