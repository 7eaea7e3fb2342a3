"""The documented names, with the arguments that callers may rely on."""

import importlib
import inspect
import pkgutil

import pytest

import lagom

# module -> name -> arguments, in order, with the defaults that count; further ones may follow.
DOCUMENTED = {
    "lagom": {
        "BaseAgent": "config env device **kwargs",
        "BaseAgent.choose_action": "self x **kwargs",
        "BaseAgent.learn": "self D **kwargs",
        "RandomAgent": "config env device **kwargs",
        "RandomAgent.choose_action": "self x **kwargs",
        "RandomAgent.learn": "self D **kwargs",
        "StepType": None,
        "TimeStep": "step_type observation reward done info",
        "TimeStep.first": "self",
        "TimeStep.mid": "self",
        "TimeStep.last": "self",
        "TimeStep.time_limit": "self",
        "TimeStep.terminal": "self",
        "Trajectory": "",
        "Trajectory.add": "self timestep action",
        "Trajectory.get_infos": "self key",
        "Logger": "",
        "Logger.__call__": "self key value",
        "Logger.dump": "self keys=None index=None indent=0 border=''",
        "Logger.save": "self f",
        "Logger.clear": "self",
        "BaseEngine": "config **kwargs",
        "BaseEngine.train": "self n=None **kwargs",
        "BaseEngine.eval": "self n=None **kwargs",
        "OnPolicyEngine": "config agent env eval_env",
        "OffPolicyEngine": "config agent env eval_env",
        "ESEngine": "config agent env eval_env",
        "BaseRunner": "",
        "BaseRunner.__call__": "self agent env **kwargs",
        "EpisodeRunner": "",
        "EpisodeRunner.__call__": "self agent env N **kwargs",
        "StepRunner": "reset_on_call=True",
        "StepRunner.__call__": "self agent env T **kwargs",
        "BaseES": "",
        "BaseES.ask": "self",
        "BaseES.tell": "self solutions function_values",
        "BaseES.result": None,
        "CEM": "x0 sigma0 opts=None",
        "CEM.ask": "self",
        "CEM.tell": "self solutions function_values",
        "CEM.result": None,
        "CMAES": "x0 sigma0 opts=None",
        "CMAES.ask": "self",
        "CMAES.tell": "self solutions function_values",
        "CMAES.result": None,
    },
    "lagom.data": {
        "PrioritizedReplayBuffer": "capacity",
        "ReplayBuffer": "capacity",
        "StepType": None,
        "TimeStep": "step_type observation reward done info",
        "Trajectory": "",
    },
    "lagom.envs": {
        "AsyncVecEnv": "list_make_env seeds=None workers=None timeout=60.0",
        "check_env": "id kwargs=None render=False",
        "VecEnv": "list_make_env",
        "VecEnv.reset": "self",
        "VecEnv.step": "self actions",
        "VecEnv.reset_row": "self b",
        "VecEnv.rest": "self b",
        "VecEnv.get_images": "self",
        "VecEnv.close": "self",
        "VecEnv.close_extras": "self",
        "VecEnv.get_viewer": "self",
        "VecEnv.render": "self mode",  # not 'human' by default: a picture needs no screen
        "VecEnv.unwrapped": None,
        "VecEnvWrapper": "env",
        "VecEnvWrapper.reset": "self",
        "VecEnvWrapper.step": "self actions",
        "VecEnvWrapper.reset_row": "self b",
        "VecEnvWrapper.get_images": "self",
        "VecEnvWrapper.close_extras": "self",
        "VecEnvWrapper.unwrapped": None,
        "make_vec_env": "make_env num_env init_seed",
        "RecordEpisodeStatistics": "env deque_size=100",
        "RecordEpisodeStatistics.reset": "self",
        "RecordEpisodeStatistics.step": "self actions",
        "RecordEpisodeStatistics.pop_episodes": "self",
        "NormalizeObservation": "env clip=5.0 constant_moments=None",
        "NormalizeReward": "env clip=10.0 gamma=0.99 constant_var=None",
        "NormalizeReward.reset": "self",
        "NormalizeReward.step": "self actions",
        "TimeStepEnv": "env",
        "TimeStepEnv.reset": "self **kwargs",
        "TimeStepEnv.step": "self action",
        "make": "id",
        "make_envs": "config seed",
    },
    "lagom.es": {
        "BaseES": "",
        "ARS": "x0 sigma0 opts=None",
        "CEM": "x0 sigma0 opts=None",
        "CMAES": "x0 sigma0 opts=None",
        "NativeCMAES": "x0 sigma0 opts=None",
        "OpenAIES": "x0 sigma0 opts=None",
        "PGPE": "x0 sigma0 opts=None",
        "SNES": "x0 sigma0 opts=None",
        "make_cmaes": "x0 sigma0 opts=None",
        "draw": "recipe rows",
        "PROBLEMS": None,
    },
    "lagom.population": {
        "ESEngine": "config agent env eval_env",
        "BlackBoxEngine": "config agent env eval_env",
    },
    "lagom.experiment": {
        "Config": "items num_sample=1 keep_dict_order=False",
        "Config.make_configs": "self",
        "Grid": None,
        "Sample": "f",
        "Condition": "f",
        "Sample.__call__": None,
        "Condition.__call__": None,
        "run_experiment": "run config seeds log_dir max_workers "
        "chunksize=1 use_gpu=False gpu_ids=None",
    },
    "lagom.metric": {
        "returns": "gamma rewards",
        "bootstrapped_returns": "gamma rewards last_V reach_terminal",
        "td0_target": "gamma rewards Vs last_V reach_terminal",
        "td0_error": "gamma rewards Vs last_V reach_terminal",
        "gae": "gamma lam rewards Vs last_V reach_terminal",
        "vtrace": "behavior_logprobs target_logprobs gamma Rs Vs last_V reach_terminal "
        "clip_rho=1.0 clip_pg_rho=1.0",
    },
    "lagom.networks": {
        "Module": "**kwargs",
        "Module.num_params": None,
        "Module.num_trainable_params": None,
        "Module.num_untrainable_params": None,
        "Module.to_vec": "self",
        "Module.from_vec": "self x",
        "Module.save": "self f",
        "Module.load": "self f",
        "linear_lr_scheduler": "optimizer N min_lr",
        "make_fc": "input_dim hidden_sizes",
        "make_cnn": "input_channel channels kernels strides paddings",
        "make_transposed_cnn": "input_channel channels kernels strides paddings output_paddings",
        "MDNHead": "in_features out_features num_density device **kwargs",
        "MDNHead.forward": "self x",
        "MDNHead.loss": "self logit_pi mean std target",
        "MDNHead.sample": "self logit_pi mean std tau=1.0",
        "LayerNormLSTMCell": "input_size hidden_size",
        "LSTMLayer": "cell *cell_args",
        "LSTMLayer.forward": "self input state",
        "StackedLSTM": "num_layers layer first_layer_args other_layer_args",
        "StackedLSTM.forward": "self input states",
        "make_lnlstm": "input_size hidden_size num_layers=1",
        "TanhGaussianHead": "feature_dim action_dim device low high",
        "ortho_init": "module nonlinearity=None weight_scale=1.0 constant_bias=0.0",
        "CategoricalHead": "feature_dim num_action device **kwargs",
        "CategoricalHead.forward": "self features",
        "DiagGaussianHead": "feature_dim action_dim device std0 **kwargs",
        "DiagGaussianHead.forward": "self features",
        "make_head": "feature_dim action_space device sde=None",
        "StateDependentHead": "feature_dim action_dim device logstd0 every",
        "StateDependentHead.forward": "self features",
        "StateDependentHead.evaluate": "self features action mask=None",
        "StateDependentHead.act": "self features rng greedy=False mask=None",
        "KeptNoise": "every",
        "KeptNoise.__call__": "self features logstd rng",
        "marginal_logstd": "features logstd",
        "MLP": "in_features hidden_sizes out_features activation out_scale",
    },
    "lagom.transform": {
        "Describe": "count mean std min max repr_indent=0 repr_prefix=None",
        "describe": "x axis=-1 repr_indent=0 repr_prefix=None",
        "explained_variance": "y_true y_pred",
        "interp_curves": "x y num_point",
        "smooth_filter": "x window_length polyorder **kwargs",
        "rank_transform": "x centered=True",
        "OUNoise": "sigma theta=0.15 dt=0.01",
        "OUNoise.__call__": "self shape rng",
        "LinearSchedule": "initial final N start=0",
        "LinearSchedule.__call__": "self x",
        "PolyakAverage": "alpha",
        "PolyakAverage.__call__": "self x",
        "PolyakAverage.get_current": "self",
        "SegmentTree": "capacity operation identity_element",
        "SegmentTree.reduce": "self start=0 end=None",
        "SumTree": "capacity",
        "SumTree.sum": "self start=0 end=None",
        "SumTree.find_prefixsum_index": "self prefixsum",
        "MinTree": "capacity",
        "MinTree.min": "self start=0 end=None",
        "geometric_cumsum": "alpha x",
        "RunningMeanVar": "shape",
        "RunningMeanVar.__call__": "self x",
    },
    "lagom.utils": {
        "Seeder": "init_seed=0",
        "Seeder.__call__": "self size=1",
        "set_global_seeds": "seed",
        "tensorify": "x device",
        "numpify": "x dtype",
        "ProcessWorker": "master_conn worker_conn",
        "ProcessWorker.work": "self task_id task",
        "ProcessMaster": "worker_class num_worker",
        "ProcessMaster.assign_tasks": "self tasks",
        "ProcessMaster.make_tasks": "self",
        "ProcessMaster.close": "self",
        "pickle_dump": "obj f ext='.pkl'",
        "pickle_load": "f",
        "yaml_dump": "obj f ext='.yaml'",
        "yaml_load": "f",
        "CloudpickleWrapper": "x",
        "color_str": "string color bold=False",
        "timed": "color='green' bold=False",
        "timeit": "_func=None color='green' bold=False",
        "ask_yes_or_no": "msg",
        "IntervalConditioner": "interval mode",
        "NConditioner": "max_n num_conditions mode",
    },
    "lagom.vis": {
        "ImageViewer": "max_width=500",
        "ImageViewer.__call__": "self x",
        "ImageViewer.close": "self",
        "GridImage": "ncol=8 padding=2 pad_value=0",
        "GridImage.add": "self x",
        "GridImage.__call__": "self",
        "set_ticker": "ax axis='x' num=None KM_format=False integer=False",
        "read_xy": "log_folder file_name get_x get_y smooth_out=False smooth_kws=None point_step=1",
    },
}
CASES = [
    (module, name, args) for module, names in DOCUMENTED.items() for name, args in names.items()
]
PUBLIC = [
    "lagom",
    *(
        f"lagom.{name}"
        for _, name, is_package in pkgutil.iter_modules(lagom.__path__)
        if not name.startswith("_")
        and name != "cli"
        and (is_package or name in lagom._WHERE.values())
    ),
]


def get(module, name):
    out = importlib.import_module(module)
    for part in name.split("."):
        out = getattr(out, part)
    return out


@pytest.mark.parametrize(("module", "name", "arguments"), CASES)
def test_documented_names_take_their_arguments(module, name, arguments):
    thing = get(module, name)
    if arguments is None:
        return
    parameters = inspect.signature(thing).parameters.values()
    starred = [word for word in arguments.split() if word.startswith("*")]
    words = [word for word in arguments.split() if word not in starred]
    found = [str(p.replace(annotation=p.empty)) for p in parameters]
    named = [f if "=" in w else f.partition("=")[0] for w, f in zip(words, found, strict=False)]

    assert named == words
    assert {*starred} <= {*found}
    for f in found[len(words) :]:  # further ones may be, and be left out
        assert "=" in f or f.startswith("*")


@pytest.mark.parametrize("module", PUBLIC)
def test_all_that_is_exported_exists_and_explains_itself(module):
    module = importlib.import_module(module)

    assert module.__doc__
    for name in getattr(module, "__all__", ()):
        thing = getattr(module, name)
        if callable(thing):
            assert inspect.getdoc(thing), name


@pytest.mark.parametrize("module", DOCUMENTED)
def test_documented_names_are_exported(module):
    exported = getattr(importlib.import_module(module), "__all__", None)
    if exported is not None:  # a module of functions exports what has no underscore
        missing = {name.split(".")[0] for name in DOCUMENTED[module]} - {*exported}
        assert not missing


def test_names_of_lagom_are_those_of_its_modules():
    for name, where in lagom._WHERE.items():
        assert getattr(lagom, name) is get(f"lagom.{where}", name)
    with pytest.raises(AttributeError, match="module 'lagom' has no attribute 'BaseAgents'"):
        _ = lagom.BaseAgents


def test_public_methods_explain_themselves():
    """Themselves, in the method they override, or under Attributes of their class."""
    silent = []
    for module in PUBLIC:
        module = importlib.import_module(module)
        for name in getattr(module, "__all__", ()):
            thing = getattr(module, name)
            if not inspect.isclass(thing) or not thing.__module__.startswith("lagom"):
                continue
            for key, value in vars(thing).items():
                if key.startswith("_") or not (callable(value) or isinstance(value, property)):
                    continue
                if not inspect.getdoc(getattr(thing, key)) and key not in inspect.getdoc(thing):
                    silent.append(f"{module.__name__}.{name}.{key}")

    assert silent == []
