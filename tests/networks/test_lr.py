import pytest
import torch

from lagom.networks import linear_lr_scheduler


def adam(*rates):
    groups = [{"params": [torch.zeros(1, requires_grad=True)], "lr": lr} for lr in rates]
    return torch.optim.Adam(groups, lr=123.0)


def rates(optimizer):
    return [group["lr"] for group in optimizer.param_groups]


def step(optimizer, scheduler, times=1):
    for _ in range(times):
        optimizer.step()
        scheduler.step()


def test_a_straight_line_down_to_the_lowest_rate():
    optimizer = adam(0.8)
    scheduler = linear_lr_scheduler(optimizer, N=4, min_lr=0.3)
    seen = []
    for _ in range(7):
        seen += rates(optimizer)
        step(optimizer, scheduler)

    assert seen == pytest.approx([0.8, 0.6, 0.4, 0.3, 0.3, 0.3, 0.3])


def test_each_group_starts_from_its_own_rate_and_ends_at_the_same():
    optimizer = adam(1.0, 0.2)
    scheduler = linear_lr_scheduler(optimizer, N=10, min_lr=0.1)

    step(optimizer, scheduler)
    assert rates(optimizer) == pytest.approx([0.9, 0.18])
    step(optimizer, scheduler, 9)
    assert rates(optimizer) == pytest.approx([0.1, 0.1])


def test_down_to_nothing():
    optimizer = adam(1.0)
    step(optimizer, linear_lr_scheduler(optimizer, N=2, min_lr=0.0), 2)

    assert rates(optimizer) == [0.0]


def test_it_goes_on_where_it_was_saved():
    one, two = adam(0.8), adam(0.8)
    first = linear_lr_scheduler(one, N=4, min_lr=0.1)
    step(one, first)
    second = linear_lr_scheduler(two, N=4, min_lr=0.1)
    two.load_state_dict(one.state_dict())
    second.load_state_dict(first.state_dict())
    step(one, first)
    step(two, second)

    assert rates(two) == rates(one) == pytest.approx([0.4])
    # And one that is made after the optimizer was loaded starts from the initial rate.
    third = linear_lr_scheduler(two, N=4, min_lr=0.1)
    assert rates(two) == pytest.approx([0.8])
    step(two, third)
    assert rates(two) == pytest.approx([0.6])
    step(two, third, 3)
    assert rates(two) == pytest.approx([0.1])


@pytest.mark.parametrize("N", [0, -1])
def test_numbers_of_steps_that_are_not_positive_are_refused(N):
    with pytest.raises(ValueError, match=f"linear_lr_scheduler: N is {N}; expected a positive"):
        linear_lr_scheduler(adam(0.1), N, 0.0)


@pytest.mark.parametrize(
    ("lr", "min_lr"), [(0.1, -0.1), (0.1, 0.2), (0.0, 0.0), (0.1, float("nan"))]
)
def test_lowest_rates_above_the_initial_one_are_refused(lr, min_lr):
    with pytest.raises(ValueError, match=f"min_lr is {min_lr} .* rates are .*{lr}.*; expected 0"):
        linear_lr_scheduler(adam(0.5, lr), 10, min_lr)
