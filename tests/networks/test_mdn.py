import math

import pytest
import torch

from lagom.networks import MDNHead


def mixture(N, K, D):
    """Parameters ``[N, K, D]`` and a target ``[N, D]``, float64."""
    g = torch.Generator().manual_seed(0)
    logit_pi, mean = torch.randn(2, N, K, D, generator=g, dtype=torch.float64)
    std = torch.rand(N, K, D, generator=g, dtype=torch.float64) + 0.1
    return logit_pi, mean, std, torch.randn(N, D, generator=g, dtype=torch.float64)


def head(K=3, D=2):
    torch.manual_seed(0)
    return MDNHead(5, D, K, "cpu")


def test_outputs_are_mixtures_of_nearly_standard_normals_at_first():
    logit_pi, mean, std = head()(torch.randn(7, 5))

    assert logit_pi.shape == mean.shape == std.shape == (7, 3, 2)
    torch.testing.assert_close(std, torch.ones(7, 3, 2), atol=0.1, rtol=0)
    assert mean.abs().max() < 0.1
    torch.testing.assert_close(logit_pi.softmax(1), torch.full((7, 3, 2), 1 / 3), atol=0.05, rtol=0)


def test_each_output_has_its_layer_and_variances_are_logarithmic():
    net = head(K=2, D=1)
    net.from_vec(torch.zeros(net.num_params))
    net.pi_head.bias.data = torch.tensor([1.0, 2.0])
    net.mean_head.bias.data = torch.tensor([3.0, 4.0])
    net.logvar_head.bias.data = torch.tensor([2 * math.log(5), 0.0])
    logit_pi, mean, std = net(torch.randn(1, 5))

    assert logit_pi.flatten().tolist() == [1, 2]
    assert mean.flatten().tolist() == [3, 4]
    torch.testing.assert_close(std.flatten(), torch.tensor([5.0, 1.0]))


# loss


@pytest.mark.parametrize(("N", "K", "D"), [(1, 1, 1), (4, 3, 1), (4, 1, 3), (5, 3, 2), (2, 2, 2)])
def test_loss_by_its_first_formula(N, K, D):
    logit_pi, mean, std, target = mixture(N, K, D)
    total = 0.0
    for n in range(N):
        density = 0.0
        for k in range(K):
            product = 1.0
            for d in range(D):
                pi = math.exp(logit_pi[n, k, d]) / sum(math.exp(x) for x in logit_pi[n, :, d])
                z = (target[n, d] - mean[n, k, d]) / std[n, k, d]
                product *= pi * math.exp(-z * z / 2) / (math.sqrt(2 * math.pi) * std[n, k, d])
            density += product
        total -= math.log(density) / N

    assert head().loss(logit_pi, mean, std, target).item() == pytest.approx(total)


def test_loss_is_finite_far_from_all_components():
    logit_pi, mean, std, target = mixture(1, 2, 1)
    loss = head().loss(logit_pi, 0 * mean, 0 * std + 1, 0 * target + 1e4)

    assert loss.item() == pytest.approx(5e7, rel=1e-5)


def test_loss_over_time_and_batch():
    *parameters, target = mixture(6, 3, 2)
    folded = [x.view(2, 3, 3, 2) for x in parameters]

    torch.testing.assert_close(
        head().loss(*folded, target.view(2, 3, 2)), head().loss(*parameters, target)
    )


@pytest.mark.parametrize("shape", [(4,), (4, 1), (1, 2), (4, 1, 2)])
def test_targets_that_would_be_broadcast_are_refused(shape):
    with pytest.raises(
        ValueError, match=r"MDNHead.loss: target has shape \(.*\); expected \(4, 2\)"
    ):
        head().loss(*mixture(4, 3, 2)[:3], torch.zeros(shape))


# sample


def draw(logit_pi, mean, std, tau=1.0, N=50_000):
    """``N`` draws from the mixture ``[K, D]``."""
    torch.manual_seed(0)
    args = (torch.tensor(x).expand(N, len(x), len(x[0])) for x in (logit_pi, mean, std))
    return head().sample(*args, tau)


def test_draws_have_the_shares_and_moments_of_the_components():
    x = draw([[0.0], [math.log(3)]], [[-10.0], [20.0]], [[0.5], [2.0]]).squeeze(1)
    high = x > 0

    assert high.double().mean().item() == pytest.approx(3 / 4, abs=0.01)
    for part, mean, std in ((x[~high], -10, 0.5), (x[high], 20, 2)):
        assert part.mean().item() == pytest.approx(mean, abs=0.05)
        assert part.std().item() == pytest.approx(std, rel=0.02)


@pytest.mark.parametrize("tau", [0.25, 1.0, 2.0])
def test_temperature_divides_logits_and_multiplies_variances(tau):
    x = draw([[0.0], [1.0]], [[-50.0], [50.0]], [[1.0], [3.0]], tau).squeeze(1)
    high = x > 0

    assert high.double().mean().item() == pytest.approx(1 / (1 + math.exp(-1 / tau)), abs=0.01)
    assert x[~high].std().item() == pytest.approx(math.sqrt(tau), rel=0.03)
    assert x[high].std().item() == pytest.approx(3 * math.sqrt(tau), rel=0.03)


def test_a_component_is_chosen_once_for_all_dimensions():
    x = draw([[0.0, 0.0], [0.0, 0.0]], [[-5.0, 5.0], [5.0, -5.0]], [[1.0, 1.0]] * 2)

    assert (x.sign().sum(1) == 0).all()  # (-5, 5) or (5, -5)
    assert (x[:, 0] > 0).double().mean().item() == pytest.approx(0.5, abs=0.01)


def test_probabilities_are_geometric_means_over_dimensions():
    p = 0.8 * 0.5, 0.2 * 0.5  # of both dimensions
    expected = math.sqrt(p[0]) / (math.sqrt(p[0]) + math.sqrt(p[1]))
    logits = [[math.log(0.8), 3.0], [math.log(0.2), 3.0]]
    x = draw(logits, [[10.0, 10.0], [-10.0, -10.0]], [[1.0, 1.0]] * 2)

    assert (x[:, 0] > 0).double().mean().item() == pytest.approx(expected, abs=0.01)


def test_what_minimizes_the_loss_draws_with_the_shares_of_the_data():
    target = torch.tensor([[-5.0, -5.0, -5.0]] * 7 + [[5.0, 5.0, 5.0]] * 3)  # D = 3
    mean = torch.tensor([[-5.0] * 3, [5.0] * 3]).expand(10, 2, 3)
    logits = torch.zeros(2, 3, requires_grad=True)
    optimizer = torch.optim.Adam([logits], lr=0.1)
    for _ in range(300):
        optimizer.zero_grad()
        head().loss(logits.expand(10, 2, 3), mean, torch.ones(10, 2, 3), target).backward()
        optimizer.step()
    x = draw(logits.tolist(), mean[0].tolist(), [[1.0] * 3] * 2)

    torch.testing.assert_close(logits.softmax(0)[0], torch.full((3,), 0.7), atol=1e-3, rtol=0)
    assert (x < 0).all(1).double().mean().item() == pytest.approx(0.7, abs=0.01)
    assert (x > 0).all(1).double().mean().item() == pytest.approx(0.3, abs=0.01)


def test_gradient_of_the_loss_in_the_logits_is_coefficient_less_posterior():
    logit_pi, mean, std, target = mixture(5, 3, 2)
    logit_pi.requires_grad_()
    head().loss(logit_pi, mean, std, target).backward()
    pi = logit_pi.detach().softmax(1)
    normal = torch.distributions.Normal(mean, std).log_prob(target[:, None]).exp()
    r = (pi * normal).prod(-1)  # [N, K]
    r = r / r.sum(1, keepdim=True)

    torch.testing.assert_close(logit_pi.grad, (pi - r[..., None]) / 5)


def test_gradients_reach_the_chosen_component():
    mean = torch.zeros(1, 2, 2, requires_grad=True)
    std = torch.ones(1, 2, 2, requires_grad=True)
    logit_pi = torch.tensor([[[100.0, 100.0], [0.0, 0.0]]], requires_grad=True)
    torch.manual_seed(0)
    x = head().sample(logit_pi, mean, std, tau=4.0)
    x.sum().backward()

    assert mean.grad.tolist() == [[[1, 1], [0, 0]]]
    torch.testing.assert_close(std.grad[0, 0], x[0].detach())  # x = 2 noise, and std is 1
    assert std.grad[0, 1].tolist() == [0, 0]
    assert logit_pi.grad is None


def test_draws_over_time_and_batch():
    logit_pi, mean, std, _ = mixture(6, 3, 2)
    torch.manual_seed(0)
    flat = head().sample(logit_pi, mean, std)
    torch.manual_seed(0)
    folded = head().sample(*(x.view(2, 3, 3, 2) for x in (logit_pi, mean, std)))

    assert folded.shape == (2, 3, 2)
    torch.testing.assert_close(folded.view(6, 2), flat)


@pytest.mark.parametrize("tau", [0.0, -1.0, math.nan])
def test_temperatures_that_are_not_positive_are_refused(tau):
    with pytest.raises(ValueError, match=f"MDNHead.sample: tau is {tau!r}; expected a number > 0"):
        head().sample(*mixture(1, 2, 1)[:3], tau)


def test_it_learns_a_density_with_two_modes():
    torch.manual_seed(0)
    net = MDNHead(1, 1, 2, "cpu")
    x = torch.ones(256, 1)
    target = torch.where(torch.rand(256, 1) < 0.25, -2.0, 1.0) + 0.1 * torch.randn(256, 1)
    optimizer = torch.optim.Adam([net.flat], lr=0.05)
    for _ in range(300):
        optimizer.zero_grad()
        loss = net.loss(*net(x), target)
        loss.backward()
        optimizer.step()
    weights = torch.tensor([0.25, 0.75])
    entropy = 0.5 * math.log(2 * math.pi * math.e * 0.01) - (weights * weights.log()).sum().item()

    assert loss.item() == pytest.approx(entropy, abs=0.1)
    drawn = net.sample(*net(torch.ones(20_000, 1)))
    share = (target > 0).double().mean().item()
    assert (drawn > 0).double().mean().item() == pytest.approx(share, abs=0.02)
