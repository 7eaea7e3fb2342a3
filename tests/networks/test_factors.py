import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Tuple

from lagom.networks import (
    BernoulliHead,
    CategoricalHead,
    MultiCategoricalHead,
    NestedHead,
    make_head,
)
from lagom.utils import nested

N = 6


def features(head=None):
    torch.manual_seed(1)
    x = torch.randn(N, 5)
    if head is not None:  # heads begin nearly uniform
        for p in head.parameters():
            torch.nn.init.normal_(p)
    return x


def test_multi_categorical_is_the_sum_of_its_factors():
    head = MultiCategoricalHead(5, [2, 3], "cpu")
    x = features(head)
    action = torch.tensor([[i % 2, i % 3] for i in range(N)])
    logprob, entropy = head.evaluate(x, action)

    factors = head(x)
    assert [factor.logits.shape[-1] for factor in factors] == [2, 3]
    torch.testing.assert_close(
        logprob, sum(f.log_prob(action[:, i]) for i, f in enumerate(factors))
    )
    torch.testing.assert_close(entropy, sum(factor.entropy() for factor in factors))


def test_bernoulli_is_torchs():
    head = BernoulliHead(5, 3, "cpu")
    x = features(head)
    action = torch.tensor([[i % 2, i // 2 % 2, 1] for i in range(N)], dtype=torch.int8)
    logprob, entropy = head.evaluate(x, action)

    torch.testing.assert_close(logprob, head(x).log_prob(action.float()))
    torch.testing.assert_close(entropy, head(x).entropy())


def test_nested_heads_add_up():
    space = Dict(b=Tuple([Discrete(3), Box(-1.0, 1.0, (2,))]), a=MultiBinary(2))
    head = make_head(5, space, "cpu", std0=0.5)
    x = features()
    space.seed(0)
    action = nested.to_tensors(nested.stack([space.sample() for _ in range(N)]), "cpu")
    logprob, entropy = head.evaluate(x, action)

    discrete, gaussian, bits = head.heads
    dists = head(x)
    assert type(head) is NestedHead
    assert list(dists) == ["b", "a"]
    expected = bits(x).log_prob(action["a"].float()) + discrete(x).log_prob(action["b"][0])
    torch.testing.assert_close(logprob, expected + gaussian(x).log_prob(action["b"][1]))
    expected = bits(x).entropy() + discrete(x).entropy() + gaussian(x).entropy()
    torch.testing.assert_close(entropy, expected)
    assert gaussian(x).stddev.detach().unique().tolist() == [0.5]


@pytest.mark.parametrize("space", [MultiDiscrete([2, 4]), MultiBinary(3)], ids=str)
def test_actions_are_drawn_as_probabilities_say(space):
    head = make_head(5, space, "cpu")
    x = features(head)[:1]
    rng = np.random.default_rng(0)
    drawn = head.act(np.repeat(x.numpy(), 20000, 0), rng)
    greedy = head.act(x.numpy(), rng, greedy=True)

    assert drawn.dtype == space.dtype
    assert all(action in space for action in (*drawn[:50], greedy[0]))
    if isinstance(space, MultiBinary):
        probs = head(x).mean[0].detach()
        np.testing.assert_allclose(drawn.mean(0), probs, atol=0.015)
        assert greedy[0].tolist() == (probs > 0.5).int().tolist()
    else:
        for i, factor in enumerate(head(x)):
            shares = np.bincount(drawn[:, i], minlength=space.nvec[i]) / len(drawn)
            np.testing.assert_allclose(shares, factor.probs[0].detach(), atol=0.015)
            assert greedy[0, i] == factor.probs[0].argmax()


def test_nested_actions_are_structured_as_the_space():
    space = Dict(b=Tuple([Discrete(3), Box(-9.0, 9.0, (2,))]), a=MultiBinary(2))
    head, rng = make_head(5, space, "cpu"), np.random.default_rng(0)
    for greedy in (False, True):
        actions = head.act(features().numpy(), rng, greedy)
        assert all(action in space for action in nested.rows(actions))


@pytest.mark.parametrize(
    ("space", "masks"),
    [
        (Discrete(4), [[0, 1, 0, 1], [1, 0, 0, 0]]),
        (MultiDiscrete([2, 3]), [[0, 1, 1, 0, 1], [1, 1, 0, 0, 1]]),
    ],
    ids=str,
)
def test_masked_actions_have_no_probability(space, masks):
    head = make_head(5, space, "cpu")
    x = features(head)[:2]
    mask = np.array(masks, np.int8)
    mask_tensor = torch.from_numpy(mask)
    rng = np.random.default_rng(0)
    many = head.act(np.repeat(x.numpy(), 500, 0), rng, mask=np.repeat(mask, 500, 0))
    greedy = head.act(x.numpy(), rng, True, mask)
    offsets = [0] if isinstance(space, Discrete) else [0, 2]
    for actions, rows in ((many, np.repeat(mask, 500, 0)), (greedy, mask)):
        columns = actions.reshape(len(actions), -1) + offsets
        assert np.take_along_axis(rows, columns, 1).all()
    assert len(np.unique(many[:500], axis=0)) == 2  # of two values, or of one and two

    action = torch.from_numpy(many[[0, -1]])
    logprob, entropy = head.evaluate(x, action, mask_tensor)
    logits = head.logits(x).detach().masked_fill(mask_tensor == 0, -torch.inf)
    parts = [logits] if isinstance(space, Discrete) else logits.split([2, 3], -1)
    expected = [0.0, 0.0]
    for part, column in zip(parts, action.reshape(2, -1).unbind(-1), strict=True):
        dist = torch.distributions.Categorical(probs=part.softmax(-1))
        expected[0] = expected[0] + dist.log_prob(column)
        expected[1] = expected[1] + dist.entropy()
    torch.testing.assert_close(logprob, expected[0])
    torch.testing.assert_close(entropy, expected[1], atol=1e-5, rtol=1e-5)
    head.evaluate(x, action, mask_tensor)[1].sum().backward()
    assert all(p.grad.isfinite().all() for p in head.parameters())


def test_masks_of_nothing_change_nothing():
    head = CategoricalHead(5, 3, "cpu")
    x, action = features(head), torch.arange(N) % 3
    everything = torch.ones(N, 3, dtype=torch.int8)

    for a, b in zip(head.evaluate(x, action), head.evaluate(x, action, everything), strict=True):
        assert torch.equal(a, b)
    torch.testing.assert_close(head(x, everything).logits, head(x).logits)
    draws = [
        head.act(x.numpy(), np.random.default_rng(0), mask=mask)
        for mask in (None, everything.numpy(), 0 * everything.numpy())  # none allowed: as all
    ]
    assert draws[0].tolist() == draws[1].tolist()
    assert {*draws[2].tolist()} <= {0, 1, 2}
