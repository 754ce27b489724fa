"""The stages of a run in their order; each is a module here, and thin: read tables, call models, write tables."""

STAGES = (
    "prompts",  # the prompts of the run, split into RM training, RM test and RL test
    "train_responses",  # the initial policy answers the training prompts in contrasting ways
    "preferences",  # contrasting answers become preference pairs
    "features",  # the frozen trunk reads every text of the pairs once
    "reward_models",  # M reward models learn from them, each on its own flips
    "test_responses",  # the initial policy answers the test prompts
    "scores",  # every reward model scores every test response
    "best_of_n",  # what best-of-n and tilting by each reward model are worth to every other
    "ppo",  # the policy learns from each reward model; its checkpoints answer the test prompts, scored by all
    "publish",  # manifest, then all rows into the warehouse
)
