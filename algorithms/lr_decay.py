"""Step sizes that fall while learning, of every algorithm with the option ``agent.lr_decay``."""


def decay_lr(agent, timestep):
    """With ``agent.lr_decay``, lower them in a straight line, to 0 where the budget ends.

    They follow from the timestep alone, so there is no state to save.
    """
    config = agent.config
    if config["agent.lr_decay"]:
        remaining = max(1 - timestep / config["train.timestep"], 0.0)
        for optimizer in agent.optimizers.values():
            optimizer.param_groups[0]["lr"] = config["agent.lr"] * remaining
