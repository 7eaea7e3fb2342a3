import pytest
from typer.testing import CliRunner

from lagom.cli.app import app
from lagom.experiment.journal import Journal
from lagom.experiment.storage import write_json, write_yaml


def write(path, score, status="done", **config):
    """A run that ends at ``score``; ``__`` in a key stands for a dot."""
    config = {key.replace("__", "."): value for key, value in config.items()}
    path.mkdir(parents=True)
    write_yaml(path.parent / "config.yml", {"ID": int(path.parent.name)} | config)
    write_json(path / "status.json", {"status": status, "timestep": 100})
    journal = Journal(path / "eval.journal")
    for x, y in ((0, 0.0), (100, score)):
        journal.append({"timestep": x, "return": y})
    journal.close()


@pytest.fixture
def suite(tmp_path):
    """Two configurations in three known environments and an unknown one, two seeds each."""
    root, ID = tmp_path / "outputs", 0
    scores = {"CartPole-v1": 475.0, "Hopper-v4": 3226.0, "Pendulum-v1": -150.0, "Mine-v0": 10.0}
    for env, score in scores.items():
        for lr in (0.1, 0.2):
            for seed in (1, 2):
                end = score - 10 * seed * (lr == 0.1)
                write(root / "x" / str(ID) / str(seed), end, env__id=env, algo__name="a", lr=lr)
            ID += 1
    return root


@pytest.fixture
def sweep(tmp_path):
    """Nine configurations of two seeds; the last diverged."""
    root = tmp_path / "outputs"
    for ID in range(9):
        for seed in (1, 2):
            config = {"env__id": "A", "algo__name": "a", "agent__lr": 10.0**-ID, "flag": ID % 2 > 0}
            status = "diverged" if ID == 8 else "done"
            write(root / "x" / str(ID) / str(seed), 100.0 * ID + seed, status, **config)
    return root


def plot(*words):
    """Exit code, stdout and stderr."""
    result = CliRunner().invoke(app, ["plot", *map(str, words)])
    return result.exit_code, result.stdout, result.stderr


def test_aggregate_writes_figure_and_tables(suite):
    code, out, err = plot(suite, "--aggregate")

    assert (code, err) == (0, "")
    assert (suite / "aggregate.png").read_bytes().startswith(b"\x89PNG")
    lines = out.splitlines()
    assert lines[0].split() == [
        *("environment", "configuration", "seeds", "final", "return", "normalized"),
        *("0", "is", "1", "is"),
    ]
    assert [line.split()[:2] for line in lines[1:7]] == [
        [env, f"lr={lr}"]
        for env in ("CartPole-v1", "Hopper-v4", "Pendulum-v1")
        for lr in (0.1, 0.2)
    ]
    assert lines[2].split()[2:] == ["2", "seeds", "475", "1.000", "22.2", "475"]
    assert lines[4].split()[2:] == ["2", "seeds", "3226", "1.000", "18.8", "3226"]
    assert lines[8].split() == [
        *("configuration", "IQM", "mean", "median", "optimality", "gap", "P(improvement)")
    ]
    one = ["1.000", "[1.000,", "1.000]"]
    assert lines[10].split() == ["lr=0.2", *one * 3, "0.000", "[0.000,", "0.000]", *one]
    assert lines[9].endswith("-")
    assert "3 environments (CartPole-v1, Hopper-v4, Pendulum-v1), 2 seeds in each" in out
    assert "With fewer than 5 seeds" in out
    assert "left out, no reference scores: Mine-v0; add them with --scores FILE" in out
    assert lines[-1] == f"wrote {suite / 'aggregate.png'}"


def test_reference_scores_of_the_user(suite, tmp_path):
    scores, table = tmp_path / "scores.csv", tmp_path / "rows.csv"
    scores.write_text("env,low,high\nMine-v0,0,20\nHopper-v4,0,6452\n")

    words = ["--aggregate", "--scores", scores, "--csv", table, "-o", tmp_path / "a.svg"]
    code, out, _ = plot(suite, *words)

    assert code == 0
    assert "left out" not in out
    assert out.endswith(f"wrote {tmp_path / 'a.svg'}\nwrote {table}\n")
    assert (tmp_path / "a.svg").read_bytes().startswith(b"<?xml")
    rows = [row.split(",") for row in table.read_text().splitlines()]
    header = ["environment", "configuration", "run", "seed", "status", "final", "normalized"]
    assert rows[0] == header
    assert len(rows) == 1 + 16
    last = rows[-1]
    assert (last[0], last[1], *last[3:]) == ("Pendulum-v1", "lr=0.2", "2", "done", "-150.0", "1.0")
    mine = [row for row in rows if row[:2] == ["Mine-v0", "lr=0.1"]]
    assert [row[-1] for row in mine] == ["0.0", "-0.5"]
    assert [row[-1] for row in rows if row[:2] == ["Hopper-v4", "lr=0.2"]] == ["0.5", "0.5"]


def test_other_columns_have_no_reference_scores(suite, tmp_path):
    (tmp_path / "s.csv").write_text("env,low,high\nMine-v0,0,20\n")

    code, _, err = plot(suite, "--aggregate", "--y", "timestep", "--scores", tmp_path / "s.csv")

    assert code == 2
    assert "that all configurations have: Mine-v0; expected 3 or more" in err


def test_groups_make_configurations(suite):
    code, out, _ = plot(suite, "--aggregate", "--group", "algo.name")

    assert code == 0
    assert "CartPole-v1  a              4 runs" in out


def test_too_few_environments_are_refused_in_a_line(suite):
    code, out, err = plot(suite / "x" / "0", suite / "x" / "2", "--aggregate")

    assert (code, out) == (2, "")
    assert err == (
        "error: --aggregate: environments with reference scores that all configurations have: "
        "CartPole-v1, Hopper-v4; expected 3 or more, means over fewer say nothing about a suite\n"
    )


def test_sweep_writes_figure_and_tables(sweep, tmp_path):
    table = tmp_path / "rows.csv"

    code, out, err = plot(sweep, "--sweep", "--csv", table)

    assert (code, err) == (0, "")
    assert (sweep / "sweep.png").read_bytes().startswith(b"\x89PNG")
    lines = out.splitlines()
    assert lines[0].split() == ["key", "share", "of", "the", "variance"]
    assert lines[1].startswith("agent.lr  ")
    assert lines[4].split() == ["rank", "ID", "lr", "flag", "final", "return", "seeds"]
    assert lines[5].split() == ["1", "7", "1e-07", "true", "701.5", "±", "6.35", "2", "seeds"]
    assert "9 configurations, 1 × all of whose seeds failed or diverged.\nImportance from" in out
    assert "The best of 9 look better than they are" in out
    rows = table.read_text().splitlines()
    assert rows[0] == "ID,agent.lr,flag,run,seed,status,final return"
    assert len(rows) == 1 + 18
    assert rows[-1] == f"8,1e-08,false,{sweep / 'x/8/2'},2,diverged,802.0"


def test_sweep_without_importance(sweep):
    code, out, _ = plot(*[sweep / "x" / str(ID) for ID in range(4)], "--sweep", "--title", "few")

    assert code == 0
    assert out.startswith("rank  ID  lr     flag")
    assert "Fewer than 8 with a score" in out
    assert (sweep / "x" / "0" / "sweep.png").exists()


def test_names_are_safe_on_a_terminal(tmp_path):
    for ID, net in enumerate(["\x1b[31m", "b\nc", "x" * 100]):
        write(tmp_path / "x" / str(ID) / "1", 1.0, env__id="A", algo__name="a", net=net)

    code, out, _ = plot(tmp_path, "--sweep")

    assert code == 0
    assert "\x1b" not in out
    assert max(map(len, out.splitlines()[:4])) < 90


def test_refusals_are_safe_on_a_terminal(tmp_path):
    write(tmp_path / "x" / "0" / "1", 1.0, env__id="A\x1b[31m\nB")

    code, _, err = plot(tmp_path, "--aggregate")

    assert code == 2
    assert "no reference scores: A [31m B; add" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--aggregate", "--sweep"], 2, "--aggregate and --sweep are two figures; expected one"),
        (["--scores", "x.csv"], 2, "--scores is for --aggregate; expected one of the two flags"),
        (["--sweep", "--scores", "x.csv"], 2, "--scores is not for --sweep; leave it out"),
        (["--sweep", "--group", "lr"], 2, "--group is not for --sweep; leave it out"),
        (["--aggregate", "--facet", "lr"], 2, "--facet is not for --aggregate; leave it out"),
        (["--aggregate", "--seeds"], 2, "--seeds is not for --aggregate; leave it out"),
        (["--sweep", "--smooth", "3"], 2, "--smooth is not for --sweep; leave it out"),
        (["--sweep", "--live"], 2, "--live is not for --sweep; leave it out"),
        (["--sweep", "-o", "x.txt"], 2, "-o: 'x.txt' is no figure; expected a name in .png"),
        (["--sweep", "--x", "foo"], 2, "x: no run has 'foo'; expected for example"),
        (["--sweep", "--style", "grey"], 2, "style: got 'grey'; expected one of"),
        (["--aggregate", "--scores", "missing.csv"], 2, "missing.csv: No such file"),
        (["--sweep", "--x", "return", "-o", "/missing/x.png"], 4, "cannot write /missing/x.png"),
    ],
)
def test_wrong_words_are_answered_in_a_line(sweep, words, code, message):
    got, _, err = plot(sweep, *words)

    assert got == code
    assert message in err
    assert len(err.splitlines()) == 1
    assert err.startswith("error: ")


@pytest.mark.parametrize("flag", ["--aggregate", "--sweep"])
def test_nothing_to_draw(tmp_path, flag):
    assert plot(tmp_path, flag) == (
        5,
        "",
        f"error: nothing to draw: no run in {tmp_path} has logged timestep and return yet\n",
    )
    code, _, err = plot(tmp_path / "missing", flag)
    assert code == 2
    assert "no such folder" in err


def test_bad_files_are_told_and_the_rest_is_drawn(sweep):
    (sweep / "x" / "3" / "config.yml").write_text("a: [\n\x1b[31m")

    code, out, err = plot(sweep, "--sweep")

    assert code == 0
    assert "8 configurations" in out
    assert err.startswith("1 problems in what was read:")
    assert "\x1b" not in err
