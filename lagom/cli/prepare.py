"""Before the first job: every configuration composed, checked and tried; what is left to do."""

import copy
import os

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf, open_dict
from omegaconf.errors import ConfigAttributeError, OmegaConfBaseException

from lagom.cli.progress import duration, print_table
from lagom.cli.training import say
from lagom.cli.words import GROUPS, Refused, rewrite
from lagom.experiment import storage
from lagom.experiment.condition import calc, pick
from lagom.experiment.fingerprint import sources_digest
from lagom.experiment.schema import check, flatten, nearest
from lagom.experiment.sweep import experiment_folder, experiment_name, make_jobs, number

_DECIDING = ("algo.", "env.", "device", "agent.gamma")  # whether things fit together
_SHOWN = 20  # rows of a dry run's table


def prepare(master, loader, combinations):
    """Compose and check every configuration, and try each kind once.

    Args:
        master (DictConfig): the configuration of the whole sweep, as Hydra gave it.
        loader (ConfigLoader): Hydra's.
        combinations (list): lists of override words, one for each configuration.

    Returns:
        tuple: the experiment's folder, and the flat configurations.

    Raises:
        Refused: all problems of all configurations; nothing was started.
    """
    composer = Composer(master, loader)
    configs, complaints = [], {}  # complaints: each once
    for words in combinations:
        config, defaults, problem = composer(words)
        complaints |= dict.fromkeys([problem] if problem else check(config, defaults))
        configs.append(config)
    try:
        name = master.name or (experiment_name(configs) if not complaints else "-")
        folder = experiment_folder(master.hydra.sweep.dir, name)
    except ValueError as error:
        complaints[str(error)] = None
    if not complaints:
        launcher = master.hydra.launcher
        elsewhere = launcher._target_.endswith((".SlurmLauncher", ".RayLauncher"))
        complaints = _probe(configs, launcher.get("gpus"), elsewhere)
    if complaints:
        raise Refused("\n".join(complaints))
    return folder, configs


class Composer:
    """Override words -> flat, plain configuration.

    Hydra composes each choice of groups once (about 50 ms); plain keys are then set on a copy.
    """

    def __init__(self, master, loader):
        self.master, self.loader = master, loader
        self.known_envs = loader.get_group_options("env")
        self.bases = {}  # words about groups -> (DictConfig, flat defaults)
        self.is_group = {}  # key -> whether it is a group

    def __call__(self, words):
        """The configuration, the defaults of its groups, and what is wrong with it or None."""
        words = rewrite(words, self.known_envs)
        parsed = list(zip(words, OverridesParser.create().parse_overrides(words), strict=True))
        groups = tuple(word for word, override in parsed if not self._plain(override))
        base, defaults = self._base(groups)
        cfg = copy.deepcopy(base)
        try:
            for _, override in parsed:
                if self._plain(override):
                    key, value = override.key_or_group, override.value()
                    added = override.is_force_add()
                    OmegaConf.update(cfg, key, value, merge=True, force_add=added)
            return resolve(cfg), defaults, None
        except ConfigAttributeError as error:
            key = str(error.full_key)
            return {}, defaults, f"no such key: {key}{nearest(key, defaults)}"
        except OmegaConfBaseException as error:
            message = str(error).splitlines()[0]
            message = message.removeprefix("ValueError raised while resolving interpolation: ")
            return {}, defaults, f"{error.full_key or groups}: {message}"

    def _plain(self, override):
        """Whether a word sets a key; otherwise it is about a group, or adds or deletes."""
        key = override.key_or_group
        if key not in self.is_group:
            self.is_group[key] = "/" in key or bool(self.loader.get_group_options(key))
        setting = not (override.is_delete() or override.is_add()) or override.is_force_add()
        return setting and override.package is None and not self.is_group[key]

    def _base(self, groups):
        if groups not in self.bases:
            chosen = [word for word in groups if word.split("=")[0].lstrip("+") in GROUPS]
            cfg, defaults = (
                self.loader.load_sweep_config(self.master, list(words))
                for words in (groups, chosen)
            )
            for x in (cfg, defaults):
                with open_dict(x):
                    del x["hydra"]
            self.bases[groups] = cfg, resolve(defaults, strict=False)
        return self.bases[groups]


def resolve(cfg, strict=True):
    """``cfg`` as a flat, plain dictionary; ``strict=False`` leaves what it cannot work out."""
    try:
        return flatten(OmegaConf.to_container(cfg, resolve=True))
    except OmegaConfBaseException:
        if strict:
            raise
        return flatten(OmegaConf.to_container(cfg, resolve=False))


def register_resolvers():
    """Make ``${pick:...}`` and ``${calc:...}`` known to configurations."""

    def look_up(root):
        def value(key):
            if OmegaConf.select(root, key) is None and key not in flatten(
                OmegaConf.to_container(root, resolve=False)
            ):
                raise KeyError(key)
            return OmegaConf.select(root, key)

        return value

    OmegaConf.register_new_resolver("pick", pick, replace=True)
    OmegaConf.register_new_resolver(
        "calc", lambda text, *, _root_: calc(text, look_up(_root_)), replace=True
    )


def _probe(configs, gpus, elsewhere):
    """Build each combination of algorithm and environment once, in a process as jobs have."""
    from lagom.experiment.job import probe
    from lagom.experiment.scheduler import call

    kinds = {}
    for config in configs:
        if gpus:
            config = {**config, "device": f"cuda:{gpus[0]}"}
        if elsewhere:  # the machine that submits need not have what the others have
            config = {**config, "device": "cpu"}
        kinds[str([(k, v) for k, v in config.items() if k.startswith(_DECIDING)])] = config
    complaints = {}
    for config in kinds.values():
        try:
            call(probe, config)
        except Exception as error:  # anything that an environment does wrong
            where = f"{config['algo.name']} on {config['env.id']}"
            lines = str(error).strip().splitlines() or [""]
            builtin = isinstance(error, ValueError | RuntimeError)
            complaints[f"{where}: {'' if builtin else type(error).__name__ + ': '}{lines[0]}"] = (
                None
            )
            complaints |= dict.fromkeys(lines[1:4])
    return complaints


def pending(jobs, fresh):
    """The jobs that are not done; those without a folder get one, so that readers see them wait.

    Finished work is set aside first if it is to be made afresh.
    """
    sources, waiting, foreign = sources_digest(), [], []
    for job in jobs:
        if fresh and _status(job) not in (None, "waiting"):
            with storage.lock(job.logdir):
                say(f"{job.logdir} set aside as {storage.set_aside(job.logdir).name}")
        if _status(job) is None:
            job.logdir.mkdir(exist_ok=True)
            status = {"status": "waiting", "budget": job.config["train.timestep"]}
            storage.write_json(job.logdir / "status.json", status, sync=False)
        if _status(job) != "done":
            waiting.append(job)
        else:
            try:
                if storage.read_json(job.logdir / "fingerprint.json")["sources"] != sources:
                    foreign.append(job)
            except (OSError, ValueError, KeyError, TypeError):
                foreign.append(job)
    if len(waiting) < len(jobs):
        say(f"{len(jobs) - len(waiting)} of {len(jobs)} jobs are done already and are kept")
    if foreign:
        say(
            f"{len(foreign)} of them were made by other code, for example {foreign[0].logdir}; "
            "fresh=true makes them again, name=... goes to another folder"
        )
    return waiting


def _status(job):
    """What ``status.json`` says; None without one."""
    try:
        return storage.read_json(job.logdir / "status.json")["status"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        return "unreadable"


def show_plan(folder, configs, varying, seeds, workers):
    """Print the configurations and the number of jobs, and time a little of each kind."""
    from lagom.experiment.job import pace
    from lagom.experiment.scheduler import call

    configs, _ = number(folder, configs)
    jobs = make_jobs(folder, configs, seeds)
    missing = [job for job in jobs if _status(job) != "done"]
    rows = [["ID", *varying], *([str(c.get(k, "")) for k in ("ID", *varying)] for c in configs)]
    print(f"{folder}: {len(configs)} configurations x {len(seeds)} seeds = {len(jobs)} jobs")
    print_table(rows[: _SHOWN + 1])
    if len(configs) > _SHOWN:
        print(f"  ... and {len(configs) - _SHOWN} more")
    print(f"seeds: {', '.join(map(str, seeds))}")
    if len(missing) < len(jobs):
        print(f"done already: {len(jobs) - len(missing)}")
    if not missing:
        return
    paces, total = {}, 0.0
    for job in missing:
        kind = job.config["algo.name"], job.config["env.id"]
        if kind not in paces:
            paces[kind] = call(pace, job.config)
        per_step, per_eval = paces[kind]
        budget, every = job.config["train.timestep"], job.config["eval.every"]
        num_eval = 1 + (budget - 1) // every if every else 1
        total += budget * per_step + num_eval * per_eval
    workers = min(workers or os.cpu_count(), len(missing))
    for (algo, env), (per_step, per_eval) in paces.items():
        print(f"{algo} on {env}: {1 / per_step:.0f} steps/s, {per_eval:.2g} s an evaluation")
    print(
        f"estimate: {duration(total)} of work, about {duration(total / workers)} with "
        f"{workers} at a time"
    )
