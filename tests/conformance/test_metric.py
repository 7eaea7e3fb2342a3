"""Behaviours that must hold, by their ids: lagom.metric."""

import numpy as np
import pytest
import torch

from lagom.metric import bootstrapped_returns, gae, returns, td0_error, td0_target, vtrace

REFUSED = (AssertionError, ValueError)
HALF = np.log([0.5, 0.5, 0.5])
MIXED = np.log([0.25, 0.5, 0.9])  # rho is 0.5, 1, 1.8
R, V = [1, 2, 3], [0.5, 1, 1.5]


def assert_rel(actual, expected, rtol=1e-6):
    np.testing.assert_allclose(actual, expected, rtol=rtol, atol=0)


def assert_near(actual, expected):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5)


def test_MET_01_returns():
    assert_rel(returns(1.0, [1, 2, 3]), [6, 5, 3])


def test_MET_03_discounted_returns():
    Q = returns(0.1, [1, 2, 3, 4, 5, 6, 7, 8])

    assert_rel(Q, [1.2345678, 2.345678, 3.45678, 4.5678, 5.678, 6.78, 7.8, 8])


def test_MET_05_returns_are_an_array_of_float32():
    r = returns(0.9, [1, 2, 3])

    assert r.dtype == np.float32
    assert r.shape == (3,)
    assert type(r) is np.ndarray


def test_MET_06_bootstrapped_returns():
    Q = bootstrapped_returns(0.5, [0.1, 0.2, 0.3, 0.4, 0.5], 2.0, False)

    assert_rel(Q, [0.41875, 0.6375, 0.875, 1.15, 1.5])


def test_MET_08_bootstrapped_returns_of_integers():
    assert_rel(bootstrapped_returns(0.9, [1, 2, 3], 10, False), [12.52, 12.8, 12.0])


def test_MET_10_last_value_of_any_kind():
    for last_V in (torch.full((1, 1), 10.0, requires_grad=True), np.array(10.0)):
        Q = bootstrapped_returns(0.9, [1, 2, 3], last_V, False)

        assert_rel(Q, [12.52, 12.8, 12.0])
        assert type(Q) is np.ndarray


def test_MET_11_targets_at_a_terminal_state():
    Q = td0_target(0.1, [0.1, 0.2, 0.3, 0.4], [1, 2, 3, 4], 40, True)

    assert_rel(Q, [0.3, 0.5, 0.7, 0.4])


def test_MET_13_targets():
    Q = td0_target(0.5, [0.1, 0.2, 0.3, 0.4], [1, 2, 3, 4], 40, False)

    assert_rel(Q, [1.1, 1.7, 2.3, 20.4])


def test_MET_14_errors_at_a_terminal_state():
    error = td0_error(0.1, [0.1, 0.2, 0.3, 0.4], [1, 2, 3, 4], 40, True)

    assert_near(error, [-0.7, -1.5, -2.3, -3.6])


def test_MET_16_errors():
    error = td0_error(0.5, [0.1, 0.2, 0.3, 0.4], [1, 2, 3, 4], 40, False)

    assert_near(error, [0.1, -0.3, -0.7, 16.4])


def test_MET_17_gae():
    assert_near(gae(1.0, 0.5, [1, 2, 3], [0.1, 1.1, 2.1], 10, True), [3.725, 3.45, 0.9])


def test_MET_19_gae_masks_the_value_of_a_terminal_state():
    assert_near(gae(1.0, 0.5, [1, 2, 3], [0.5, 1.5, 2.5], 99, True), [3.625, 3.25, 0.5])


def test_MET_21_gae_without_a_terminal_state():
    A = gae(0.1, 0.2, [1, 2, 3, 4, 5], [0.1, 1.1, 2.1, 3.1, 4.1], 10, False)

    assert_rel(A, [1.03269478, 1.1347393, 1.23696, 1.348, 1.9], rtol=1e-5)


def test_MET_23_gae_with_usual_factors():
    A = gae(0.99, 0.95, [1, 0, -1, 2], [0.5, 0.4, 0.3, 0.2], 0.7, False)

    assert_near(A, [1.8983170366, 1.0657278432, 1.2426665, 2.493])


def test_MET_25_gae_with_lambda_1_is_the_return_less_the_value():
    A = gae(0.9, 1.0, [1, 2, 3], [0.5, 0.5, 0.5], 10, False)

    assert_near(A, [12.02, 12.3, 11.5])
    assert_near(A, bootstrapped_returns(0.9, [1, 2, 3], 10, False) - 0.5)


def test_MET_27_vtrace_on_policy():
    vs, As = vtrace(HALF, HALF, 0.9, R, V, 10, False)

    assert_near(vs, [12.52, 12.8, 12.0])
    assert_near(As, [12.02, 11.8, 10.5])


def test_MET_29_vtrace_off_policy():
    vs, As = vtrace(HALF, MIXED, 0.9, R, V, 10, False)

    assert_near(vs, [6.51, 12.8, 12.0])
    assert_near(As, [6.01, 11.8, 10.5])


def test_MET_31_vtrace_with_clips_above_1():
    clips = {"clip_rho": 2.0, "clip_pg_rho": 1.5}

    vs, As = vtrace(HALF, MIXED, 0.9, R, V, 10, False, **clips)
    vs_back, As_back = vtrace(HALF, MIXED[::-1], 0.9, R, V, 10, False, **clips)

    assert_near(vs, [9.912, 20.36, 20.4])
    assert_near(As, [9.412, 19.36, 15.75])
    assert_near(vs_back, [9.3875, 8.075, 6.75])
    assert_near(As_back, [11.65125, 7.075, 5.25])


def test_MET_33_vtrace_refuses_columns_of_logprobs():
    with pytest.raises(REFUSED):
        vtrace(HALF[:, None], HALF[:, None], 0.9, R, V, 10, False)
