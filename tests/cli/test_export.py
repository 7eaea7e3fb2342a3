import os

import numpy as np
import pytest
from policies import write_run

from lagom.cli.main import main
from lagom.experiment import export as module
from lagom.experiment.export import GreedyPolicy, _check, _moments, to_onnx
from lagom.experiment.policy import read_policy


@pytest.fixture
def lagom(tmp_path, monkeypatch, capsys):
    """Run the program in ``tmp_path``: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*words):
        code = main([*map(str, words)])
        return code, *capsys.readouterr()

    return run


CASES = [
    ("ppo", "CartPole-v1"),
    ("ppo", "Pendulum-v1"),
    ("cmaes", "CartPole-v1"),
    ("dqn", "CartPole-v1"),
    ("sac", "Pendulum-v1"),
]


def test_noise_that_depends_on_the_state_is_left_out(tmp_path):
    write_run(tmp_path / "0/1", "a2c", "Pendulum-v1", **{"agent.sde": True})
    agent, normalize = read_policy(tmp_path / "0/1/policy")
    policy = GreedyPolicy(agent, _moments(tmp_path / "0/1/policy"))
    _check(agent, normalize, policy)


@pytest.mark.parametrize(
    ("algo", "values", "message"),
    [
        ("recurrent_ppo", {}, "its network takes more than observations"),
        ("sac", {"agent.sde": True}, "no ONNX for actions of StateDependentHead"),
    ],
)
def test_policies_of_which_there_is_no_graph(tmp_path, algo, values, message):
    write_run(tmp_path / "0/1", algo, "Pendulum-v1", **values)
    with pytest.raises(ValueError, match=message):
        to_onnx(tmp_path / "0/1/policy")


@pytest.mark.parametrize(("algo", "env"), CASES)
def test_the_graph_acts_as_the_agent(tmp_path, algo, env):
    write_run(tmp_path / "0/1", algo, env)
    agent, normalize = read_policy(tmp_path / "0/1/policy")
    agent.from_vec(np.random.default_rng(0).normal(size=agent.num_params))
    policy = GreedyPolicy(agent, _moments(tmp_path / "0/1/policy"))

    _check(agent, normalize, policy)  # with weights under which actions differ

    if policy.clip is not None:
        policy.mean += 1.0
        with pytest.raises(ValueError, match="it would act differently"):
            _check(agent, normalize, policy)


@pytest.mark.parametrize(("algo", "env"), CASES[:2])
def test_another_runtime_plays_it(tmp_path, algo, env):
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    write_run(tmp_path / "0/1", algo, env)
    session = runtime.InferenceSession(to_onnx(tmp_path / "0/1/policy"))

    agent, normalize = read_policy(tmp_path / "0/1/policy")
    obs = np.random.default_rng(0).normal(size=(5, *agent.observation_space.shape))
    obs = obs.astype(np.float32)
    (action,) = session.run(["action"], {"observation": obs})
    np.testing.assert_allclose(action, agent.choose_action(normalize(obs))["action"], atol=1e-5)


def test_files_and_messages(lagom, tmp_path, monkeypatch):
    write_run(tmp_path / "outputs/x/0/1")

    def lacks_onnxscript(*args, **kwargs):  # sys.modules would not tell it, once it is imported
        raise ModuleNotFoundError("No module named 'onnxscript'", name="onnxscript")

    monkeypatch.setattr("torch.onnx.export", lacks_onnxscript)
    code, out, err = lagom("export", "outputs")

    assert code == 0
    folder = "outputs/x/0/1/export"
    names = ("policy.safetensors", "policy.json")
    assert out.splitlines() == [f"wrote {folder}/{name}" for name in names]
    assert "no policy.onnx (" in err
    assert err.endswith("pip install 'lagom[onnx]'\n")
    read_policy(folder)
    monkeypatch.setattr(module, "to_onnx", lambda policy: b"graph")
    assert lagom("export", folder, "-o", "a/b")[::2] == (0, "")  # an export is a policy alone
    assert sorted(os.listdir("a/b")) == ["policy.json", "policy.onnx", "policy.safetensors"]


def test_what_cannot_be_exported(lagom, tmp_path, monkeypatch):
    for seed in (1, 2):
        write_run(tmp_path / f"outputs/x/0/{seed}")
    assert lagom("export", "nowhere")[0] == 2
    code, _, err = lagom("export", "outputs")
    assert (code, err) == (
        2,
        "error: 2 policies in outputs; expected one run, such as outputs/x/0/1\n",
    )
    monkeypatch.setattr(module, "to_onnx", lambda policy: b"graph")
    (tmp_path / "file").write_text("")
    code, _, err = lagom("export", "outputs/x/0/1", "-o", "file")
    assert code == 4
    assert "cannot write file (File exists); choose another folder with -o" in err
    (tmp_path / "outputs/x/0/1/policy/policy.json").write_text("{}")
    code, _, err = lagom("export", "outputs/x/0/1")
    assert code == 5
    assert "policy refused" in err
    os.remove(tmp_path / "outputs/x/0/1/policy/policy.json")
    code, _, err = lagom("export", "outputs/x/0/1")
    assert (code, err) == (
        5,
        "error: no policy in outputs/x/0/1; it is written when a run is done\n",
    )


def test_agents_that_cannot_be_written(tmp_path, lagom):
    write_run(tmp_path / "0/1")
    agent, _ = read_policy(tmp_path / "0/1/policy")
    del agent.actor, agent.head
    with pytest.raises(ValueError, match="no ONNX for lagom.algorithms.ppo.*neither an actor"):
        GreedyPolicy(agent)
