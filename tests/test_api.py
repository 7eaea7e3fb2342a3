"""The documented names, with the arguments that callers may rely on."""

import importlib
import inspect
import pkgutil

import pytest

import lagom

# module -> name -> arguments, in order; further arguments may follow.
DOCUMENTED = {
    "lagom": {
        "BaseAgent": "config env device",
        "BaseAgent.choose_action": "self x",
        "BaseAgent.learn": "self D",
        "RandomAgent": "config env device",
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
        "Logger.dump": "self keys index indent border",
        "Logger.save": "self f",
        "Logger.clear": "self",
        "BaseEngine": "config",
        "BaseEngine.train": "self n",
        "BaseEngine.eval": "self n",
        "OnPolicyEngine": "config agent env eval_env",
        "OffPolicyEngine": "config agent env eval_env",
        "ESEngine": "config agent env eval_env",
        "BaseRunner": "",
        "BaseRunner.__call__": "self agent env",
        "EpisodeRunner.__call__": "self agent env N",
        "StepRunner": "reset_on_call",
        "StepRunner.__call__": "self agent env T",
        "BaseES": None,
        "CEM": "x0 sigma0 opts",
        "CMAES": "x0 sigma0 opts",
    },
    "lagom.envs": {
        "VecEnv": "list_make_env",
        "VecEnv.reset": "self",
        "VecEnv.step": "self actions",
        "VecEnv.get_images": "self",
        "VecEnv.close": "self",
        "VecEnv.close_extras": "self",
        "VecEnv.get_viewer": "self",
        "VecEnv.render": "self mode",
        "VecEnv.unwrapped": None,
        "VecEnvWrapper": "env",
        "VecEnvWrapper.get_images": "self",
        "VecEnvWrapper.close_extras": "self",
        "VecEnvWrapper.unwrapped": None,
        "make_vec_env": "make_env num_env init_seed",
        "RecordEpisodeStatistics": "env deque_size",
        "RecordEpisodeStatistics.pop_episodes": "self",
        "NormalizeObservation": "env clip constant_moments",
        "NormalizeReward": "env clip gamma constant_var",
        "TimeStepEnv": "env",
        "make": "id",
        "make_envs": "config seed",
    },
    "lagom.es": {
        "BaseES.ask": "self",
        "BaseES.tell": "self solutions function_values",
        "BaseES.result": None,
        "CEM": "x0 sigma0 opts",
        "CEM.ask": "self",
        "CEM.tell": "self solutions function_values",
        "CEM.result": None,
        "CMAES": "x0 sigma0 opts",
        "CMAES.ask": "self",
        "CMAES.tell": "self solutions function_values",
        "CMAES.result": None,
    },
    "lagom.experiment": {
        "Config": "items num_sample keep_dict_order",
        "Config.make_configs": "self",
        "Grid": None,
        "Sample": "f",
        "Condition": "f",
        "Sample.__call__": None,
        "Condition.__call__": None,
        "run_experiment": "run config seeds log_dir max_workers chunksize use_gpu gpu_ids",
    },
    "lagom.metric": {
        "returns": "gamma rewards",
        "bootstrapped_returns": "gamma rewards last_V reach_terminal",
        "td0_target": "gamma rewards Vs last_V reach_terminal",
        "td0_error": "gamma rewards Vs last_V reach_terminal",
        "gae": "gamma lam rewards Vs last_V reach_terminal",
        "vtrace": "behavior_logprobs target_logprobs gamma Rs Vs last_V reach_terminal clip_rho",
    },
    "lagom.networks": {
        "Module": "",
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
        "MDNHead": "in_features out_features num_density device",
        "MDNHead.forward": "self x",
        "MDNHead.loss": "self logit_pi mean std target",
        "MDNHead.sample": "self logit_pi mean std tau",
        "LayerNormLSTMCell": "input_size hidden_size",
        "LSTMLayer": "cell",
        "LSTMLayer.forward": "self input state",
        "StackedLSTM": "num_layers layer first_layer_args other_layer_args",
        "StackedLSTM.forward": "self input states",
        "make_lnlstm": "input_size hidden_size num_layers",
        "TanhGaussianHead": "feature_dim action_dim device low high",
        "ortho_init": "module nonlinearity weight_scale constant_bias",
        "CategoricalHead": "feature_dim num_action device",
        "DiagGaussianHead": "feature_dim action_dim device std0",
        "make_head": "feature_dim action_space device",
        "MLP": "in_features hidden_sizes out_features activation out_scale",
    },
    "lagom.transform": {
        "Describe": "count mean std min max repr_indent repr_prefix",
        "describe": "x axis repr_indent repr_prefix",
        "explained_variance": "y_true y_pred",
        "interp_curves": "x y",
        "smooth_filter": "x window_length polyorder",
        "rank_transform": "x centered",
        "LinearSchedule": "initial final N start",
        "LinearSchedule.__call__": "self x",
        "PolyakAverage": "alpha",
        "PolyakAverage.__call__": "self x",
        "PolyakAverage.get_current": "self",
        "SegmentTree": "capacity operation identity_element",
        "SegmentTree.reduce": "self start end",
        "SumTree": "capacity",
        "SumTree.sum": "self start end",
        "SumTree.find_prefixsum_index": "self prefixsum",
        "MinTree": "capacity",
        "MinTree.min": "self start end",
        "geometric_cumsum": "alpha x",
        "RunningMeanVar": "shape",
        "RunningMeanVar.__call__": "self x",
    },
    "lagom.utils": {
        "Seeder": "init_seed",
        "Seeder.__call__": "self size",
        "set_global_seeds": "seed",
        "tensorify": "x device",
        "numpify": "x dtype",
        "ProcessWorker": "master_conn worker_conn",
        "ProcessWorker.work": "self task_id task",
        "ProcessMaster": "worker_class num_worker",
        "ProcessMaster.assign_tasks": "self tasks",
        "ProcessMaster.make_tasks": "self",
        "ProcessMaster.close": "self",
        "pickle_dump": "obj f ext",
        "pickle_load": "f",
        "yaml_dump": "obj f ext",
        "yaml_load": "f",
        "CloudpickleWrapper": "x",
        "color_str": "string color bold",
        "timed": "color bold",
        "timeit": "_func",
        "ask_yes_or_no": "msg",
        "IntervalConditioner": "interval mode",
        "NConditioner": "max_n num_conditions mode",
    },
    "lagom.vis": {
        "ImageViewer": "max_width",
        "ImageViewer.__call__": "self x",
        "ImageViewer.close": "self",
        "GridImage": "ncol padding pad_value",
        "GridImage.add": "self x",
        "GridImage.__call__": "self",
        "set_ticker": "ax axis num KM_format integer",
        "read_xy": "log_folder file_name get_x get_y smooth_out smooth_kws point_step",
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
    parameters = [
        parameter
        for parameter in inspect.signature(thing).parameters.values()
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ]
    names, expected = [p.name for p in parameters], arguments.split()

    assert names[: len(expected)] == expected
    assert all(p.default is not p.empty for p in parameters[len(expected) :])  # further ones may be


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
