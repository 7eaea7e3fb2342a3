"""Learning rates that change while learning."""

from torch.optim.lr_scheduler import LambdaLR


def linear_lr_scheduler(optimizer, N, min_lr):
    """A scheduler that lowers learning rates in a straight line towards 0, and stops at ``min_lr``.

    After ``k`` calls of ``step()`` the rate is ``max(min_lr, lr (1 - k / N))`` in each group of
    parameters, ``lr`` being the group's initial rate.

    Args:
        optimizer (Optimizer): its groups' rates are the initial ones.
        N (int): number of calls of ``step()``, whatever they count: iterations, epochs.
        min_lr (float): lowest learning rate, at most the initial ones.

    Returns:
        LambdaLR: with ``step()``, ``get_last_lr()``, ``state_dict()``.

    Raises:
        ValueError: ``N`` or ``min_lr`` is out of range.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
        >>> scheduler = linear_lr_scheduler(optimizer, N=4, min_lr=0.3)
        >>> for _ in range(4):
        ...     optimizer.step()
        ...     scheduler.step()
        ...     print(scheduler.get_last_lr())
        [0.75]
        [0.5]
        [0.3]
        [0.3]
    """
    if not N > 0:
        raise ValueError(f"linear_lr_scheduler: N is {N!r}; expected a positive number of steps")
    # A scheduler made before has left the initial rates; lr is what it has come to.
    rates = [float(group.get("initial_lr", group["lr"])) for group in optimizer.param_groups]
    if not 0 <= min_lr <= min(rates) or not min(rates) > 0:
        raise ValueError(
            f"linear_lr_scheduler: min_lr is {min_lr!r} and the initial rates are {rates}; "
            "expected 0 <= min_lr <= initial rate, and that positive"
        )
    return LambdaLR(optimizer, [lambda k, lr=lr: max(min_lr / lr, 1 - k / N) for lr in rates])
