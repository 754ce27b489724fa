"""What would decide a finding that cannot be told, in words: sizes, what they cost, and the command that does it."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.cost.growth import Growth
from warehouse.formats import count, number, roughly
from warehouse.study.resolution import Resolution, Sizes


def sentence(resolution: Resolution, growth: Growth | None, most_flipped: float = 1.0) -> str:
    """Markdown on one line. `growth` None: nothing is known of costs, as of an imported run.

    Reward models that are added have no more than `most_flipped` of their labels flipped.
    """
    effect = number(resolution.effect)
    text = f"This run detects an effect of {number(resolution.detectable)} or more with 80 % power. "
    if resolution.detectable <= resolution.effect:
        return f"{text}One of {effect} or more is thus likely to be told in another run like it."
    ways = [_models(resolution, growth, most_flipped), *_prompts(resolution, growth), _seeds(resolution)]
    ways.append(_all(resolution, growth))
    ways = [way for way in ways if way]
    if not ways:
        return f"{text}No size that can be reached would tell one of {effect}."
    return f"{text}One of {effect} would take {'; or '.join(ways)}.{_never(resolution)}"


def how_many(resolutions: Sequence[Resolution | None]) -> str:
    """How many findings that cannot be told would be, by what a run has more of; None: nothing is known of one."""
    known = [resolution for resolution in resolutions if resolution is not None]
    ways = {
        "another run of this size": ("", 1),
        "twice the reward models": ("reward_models", 2),
        "twice the RM-test prompts": ("rm_prompts", 2),
        "twice the RL-test prompts": ("rl_prompts", 2),
        "twice of all three": ("all", 2),
        "four times of all three": ("all", 4),
    }
    numbers = [f"{way} {sum(_suffices(part, *what) for part in known)}" for way, what in ways.items()]
    unknown = len(resolutions) - len(known)
    return (
        f"What would tell the {len(resolutions)} open ones, each by itself, with 80 % power at the effect that it "
        f"names: {', '.join(numbers)}.{f' Of {unknown} no such size is known.' if unknown else ''}"
    )


def _suffices(resolution: Resolution, what: str, times: int) -> bool:
    """Whether a run of so many times one size, or of `all` sizes, detects the effect."""
    if resolution.detectable <= resolution.effect:
        return True
    needed = getattr(resolution, what) if what else None
    if isinstance(needed, Sizes):
        return all(after <= times * before for after, before in zip(needed, resolution.sizes, strict=True))
    return needed is not None and needed <= times * int(getattr(resolution.sizes, what))


def _models(resolution: Resolution, growth: Growth | None, most_flipped: float) -> str:
    before, after = resolution.sizes.reward_models, resolution.reward_models
    if after is None or after == before:
        return ""
    more = f"{after:,} reward models instead of {before:,}"
    command = growth.command(after - before, most_flipped) if growth else None
    if growth is None or command is None:
        return more
    return f"{more} ({_time(growth.seconds_of_models(after - before, most_flipped), 'more')}`{command}`)"


def _prompts(resolution: Resolution, growth: Growth | None) -> list[str]:
    ways = []
    _, P, Q = resolution.sizes
    for name, before, after in (("RM-test", P, resolution.rm_prompts), ("RL-test", Q, resolution.rl_prompts)):
        if after is None or after == before:
            continue
        times = (after / before, 1.0) if name == "RM-test" else (1.0, after / before)
        ways.append(f"{after:,} {name} prompts instead of {before:,}{_new_run(growth, *times)}")
    return ways


def _seeds(resolution: Resolution) -> str:
    before, after = resolution.seeds_now, resolution.seeds
    return "" if after is None or after == before else f"{after:,} seeds of each policy instead of {before:,}"


def _all(resolution: Resolution, growth: Growth | None) -> str:
    sizes, grown = resolution.sizes, resolution.all
    if grown is None or grown == sizes:
        return ""
    times = grown.rm_prompts / sizes.rm_prompts, grown.rl_prompts / sizes.rl_prompts
    together = _new_run(growth, *times, grown.reward_models - sizes.reward_models)
    return f"all together, {_sizes(grown)}{together}"


def _new_run(growth: Growth | None, rm_times: float, rl_times: float, reward_models: int = 0) -> str:
    """Prompts cannot be added to a run: another one is started with more, from a data set if ours are too few."""
    if growth is None:
        return ""
    settings = growth.per_category(rm_times, rl_times)
    changed = {name: value for name, value in settings.items() if value != growth.per_category(1.0, 1.0)[name]}
    named = " and ".join(f"`{name} = {value}`" for name, value in changed.items())
    of_data_set = "" if growth.has_prompts(rm_times, rl_times) else ", its prompts from a data set"
    time = _time(growth.seconds_of_new(rm_times, rl_times, reward_models), "in all").rstrip(": ")
    return f" ({', '.join(part for part in (time, f'a new run with {named}{of_data_set}') if part)})"


def _never(resolution: Resolution) -> str:
    """What alone does not suffice, however much of it."""
    if not resolution.split:
        return ""
    alone = {
        "reward models": resolution.reward_models,
        "RM-test prompts": resolution.rm_prompts,
        "RL-test prompts": resolution.rl_prompts,
        **({"seeds": resolution.seeds} if resolution.seeds_now else {}),
    }
    never = [name for name, size in alone.items() if size is None]
    return (
        f" No number of {', '.join(never[:-1])}{' or ' * (len(never) > 1)}{never[-1]} alone suffices." if never else ""
    )


def _sizes(sizes: Sizes) -> str:
    models, rm_prompts, rl_prompts = sizes
    return f"{count(models, 'reward model')}, {rm_prompts:,} RM-test and {rl_prompts:,} RL-test prompts"


def _time(seconds: float | None, which: str) -> str:
    return "" if seconds is None else f"about {roughly(seconds)} {which}: "
