from pathlib import Path

import pytest

from lagom.cli.words import (
    Refused,
    check_groups,
    config_dirs,
    flags_first,
    options,
    rewrite,
    strategies,
)


@pytest.mark.parametrize(
    ("words", "flags", "overrides"),
    [
        ([], [], []),
        (["a=1", "-m", "b=2"], ["-m"], ["a=1", "b=2"]),
        (["a=1", "--cfg", "job", "b=2"], ["--cfg", "job"], ["a=1", "b=2"]),
        (["--cfg=job", "a=1"], ["--cfg=job"], ["a=1"]),
        (["a=1", "--config-dir", "x y", "-m"], ["--config-dir", "x y", "-m"], ["a=1"]),
        (["--info", "config", "a=1"], ["--info", "config"], ["a=1"]),
        (["--info", "a=1"], ["--info"], ["a=1"]),
        (["a=1", "-c"], ["-c"], ["a=1"]),
        (["a=-1", "~b"], [], ["a=-1", "~b"]),
    ],
)
def test_flags_come_first_with_their_values(words, flags, overrides):
    given = [*words]
    assert flags_first(words) == (flags, overrides)
    assert words == given


def test_unknown_flag_is_refused_with_a_suggestion():
    with pytest.raises(Refused, match="no such flag: --multrun; did you mean --multirun"):
        flags_first(["a=1", "--multrun"])
    with pytest.raises(Refused, match="no such flag: --cgf"):
        flags_first(["--cgf=job"])


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A working directory with configurations of its own."""
    monkeypatch.chdir(tmp_path)
    for folder, name, text in (
        ("conf/algo", "mine", "algo: {engine: 'lagom.engine:OnPolicyEngine'}"),
        ("conf/algo", "my_es", "algo: {engine: 'lagom.engine:ESEngine'}"),
        ("conf/algo", "cmaes", "algo: {engine: 'lagom.engine:ESEngine'}"),
        ("extra/env", "Maze", ""),
    ):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / f"{name}.yaml").write_text(text)
    return tmp_path


def test_config_dirs(project):
    Path("more").mkdir()
    names = [str(path) for path in config_dirs(["-m", "--config-dir", "extra", "-cd=more"])]
    assert names == ["extra", "more", "conf"]
    assert config_dirs(["--config-dir"]) == config_dirs([])
    with pytest.raises(Refused, match="--config-dir: no such folder 'nowhere'"):
        config_dirs(["--config-dir=nowhere"])


def test_config_dirs_leave_out_lagoms_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert config_dirs([]) == []
    (tmp_path / "conf").mkdir()
    monkeypatch.setattr("lagom.cli.words._own", lambda: tmp_path / "conf")
    assert config_dirs([]) == []


def test_options_and_strategies(project):
    dirs = config_dirs(["--config-dir=extra"])
    assert {"ppo", "cmaes"} <= {*options("algo")}
    assert {*options("algo", dirs)} == {*options("algo"), "mine", "my_es"}
    assert options("env", dirs).count("Maze") == 1
    assert options("algo", dirs) == sorted(options("algo", dirs))
    assert {"cmaes", "my_es"} <= {*strategies(dirs)}
    assert strategies(dirs).count("cmaes") == 1
    assert not {"ppo", "mine"} & {*strategies(dirs)}


@pytest.mark.parametrize(
    "word",
    [
        *("algo=ppo", "algo=ppo,cmaes", "algo=ppo, cmaes", "algo=choice(ppo,vpg)"),
        *("env=Anything-v7", "sweep=lr", "experiment=null", "agent.lr=1,2"),
    ],
)
def test_good_groups_pass(word):
    check_groups([word], [])


def test_all_unknown_names_are_refused_at_once():
    with pytest.raises(Refused) as caught:
        check_groups(["algo=pppo,cmaes", "+sweep=lrr", "algo="], [])
    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    known = options("algo")
    assert lines[0] == f"algo=pppo is not one of the {len(known)} there are; did you mean ppo?"
    assert lines[1].endswith("did you mean lr?")
    assert lines[2] == f"algo= is not one of the {len(known)} there are: {', '.join(known)}"


def test_of_many_names_only_some_are_shown(tmp_path):
    (tmp_path / "problem").mkdir()
    for i in range(40):
        (tmp_path / "problem" / f"own{i:02}.yaml").touch()
    with pytest.raises(Refused) as caught:
        check_groups(["problem=own3,zzzzzzz"], [tmp_path])
    near, far = str(caught.value).splitlines()
    assert "; did you mean own3" in near
    assert near.count("own") == 4  # what was typed, and three names
    assert far.endswith(", ...")
    assert far.count(", ") == 30


def test_own_algorithms_are_known(project):
    check_groups(["algo=mine"], config_dirs([]))
    with pytest.raises(Refused, match="algo=mine is not one of"):
        check_groups(["algo=mine"], [])


@pytest.mark.parametrize("word", ["+a._target_=os.system", "env.kwargs={_target_: os.system}"])
def test_target_is_refused_by_name(word):
    with pytest.raises(Refused, match="_target_ is not used by lagom; algo=<name> chooses"):
        check_groups([word], [])


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("env=CartPole-v1", ["env=CartPole-v1"]),
        ("env=my.module:Maze-v0", ["env=gym", "env.id=my.module:Maze-v0"]),
        ("env=A,B", ["env=A,B"]),
        ("env=choice(A,B)", ["env=choice(A,B)"]),
        ("env.kwargs.x=1", ["++env.kwargs.x=1"]),
        ("es.opts.CMA_diagonal=true", ["++es.opts.CMA_diagonal=true"]),
        ("env.kwargs={x:1}", ["env.kwargs={x:1}"]),
        ("agent.lr=1", ["agent.lr=1"]),
    ],
)
def test_shorthands(word, expected):
    assert rewrite([word], ["CartPole-v1", "gym"]) == expected


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("a=${pick:${env.id},{Ant-v2: 1}}", "a='${pick:${env.id},{Ant-v2: 1}}'"),
        ("""a=${calc:"1 if b == 'c' else 2"}""", """a='${calc:"1 if b == \\'c\\' else 2"}'"""),
        ("a=${b},${c}", "a=${b},${c}"),  # a sweep of two
        ("a=x${b}", "a=x${b}"),
        ("a='${b}'", "a='${b}'"),
        ("a=${b", "a=${b"),
    ],
)
def test_interpolations_need_no_quotes(word, expected):
    assert rewrite([word], []) == [expected]
