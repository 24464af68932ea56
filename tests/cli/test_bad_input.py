"""Bad input is answered by one sentence that names what is near, before anything is written."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from pgrobot.cli import main

SURROGATE = "algorithm.objective.surrogate"
CONTROL = "{_target_:pgrobot.objectives.ControlVariate,weight:1.0}"
DECAY = "+algorithm/transform@algorithm.policy_solver.chain.last=weight_decay"
GROUPS = "+algorithm/transform@algorithm.policy_solver.chain.last=group_rates"
ADAPTIVE = "algorithm/rate@algorithm.policy_solver.rate=kl_adaptive"
ADAPTIVE_STEP = ["algorithm=npg", "algorithm/rate@algorithm.policy_solver.step.kl=kl_adaptive"]
CASES = [
    # what does not exist
    (["task=hoper"], "Unknown task 'hoper': did you mean 'hopper'?"),
    (["tusk=hopper"], "Unknown key or group 'tusk': did you mean 'task'?"),
    (["sed=1"], "Unknown key or group 'sed': did you mean 'seed'?"),
    (["+foo=1"], "Unknown key 'foo': valid: "),
    (["foo/bar=1"], "Unknown group 'foo/bar': valid: "),
    (["algorithm/estimator=gea"], "Unknown algorithm/estimator 'gea': did you mean 'gae'?"),
    (
        ["algorithm/rate=constant"],
        "'algorithm/rate=constant' does not say whose: write algorithm/rate@algorithm.critic_solver.rate=constant or ",
    ),
    (["algorithm/estimater=gae"], "Unknown group 'algorithm/estimater': did you mean 'algorithm/estimator' or "),
    (["constraint=[speed,spood]"], "Unknown constraint 'spood': did you mean 'speed'?"),
    (["constraint=null"], "constraint cannot be null: constraint=[] takes none, and without it the config's own are"),
    (["tracker=null"], "tracker cannot be null: tracker=[] takes none"),
    # words of other libraries
    (["lr=3e-4"], "Unknown key or group 'lr': pgrobot calls it algorithm.policy_solver.rate.initial and "),
    (["algorithm.gamma=0.9"], "algorithm has no key 'gamma': pgrobot calls it algorithm.discounts.reward"),
    (["ppo.clip_range=0.1"], "Unknown key 'ppo.clip_range': pgrobot calls it algorithm.objective.surrogate.clip"),
    (["+algorithm.policy_solver.lr=1"], "has no key 'lr': pgrobot calls it algorithm.policy_solver.rate.initial"),
    (["--learning-rate=3e-4"], "no option --learning-rate=3e-4; settings are written key=value: pgrobot calls it "),
    (["--lr", "1e-3"], "There is no option --lr; settings are written key=value: pgrobot calls it"),
    (["--resume=runs/a"], "There is no option --resume=runs/a; settings are written key=value, as in resume=runs/a"),
    (["--seed", "1"], "There is no option --seed; settings are written key=value, as in seed=<value>"),
    (["device=cuda"], "device cannot be 'cuda': valid: cpu, where networks of this size are fastest"),
    # what no machine holds
    (
        ["num_envs=100000000", "total_steps=1e12"],
        "num_envs=100000000 and horizon=32 with these networks take at least 256 GB of memory, and this machine has ",
    ),
    (["policy.hidden=[1000000,1000000]"], "with these networks take at least 16,000 GB of memory"),
    (["constraint.speed.bugdet=5"], "constraint.speed has no key 'bugdet': did you mean 'budget'?"),
    (["+constraint.speed.bugdet=5"], "constraint.speed has no key 'bugdet': did you mean 'budget'?"),
    (["+evaluation.episode=5"], "evaluation has no key 'episode': did you mean 'episodes'"),
    (["+checkpoint.evry=5"], "checkpoint has no key 'evry': did you mean 'every'?"),
    (["+algorithm.pases=5"], "algorithm has no key 'pases': did you mean 'passes'?"),
    (["~constraint.speed.unit"], "constraint.speed has no unit: a constraint has cost, budget, unit, limit"),
    (["constraint.sped.budget=5"], "constraint has no key 'sped': did you mean 'speed'?"),
    (["constraint.power.budget=5"], "select it with 'constraint=[speed,torque,fall,power]'"),
    (["~constraint.power"], "constraint.power is not there because power is not selected"),
    (["~constraint"], "constraint=[] trains without any, ~constraint.torque leaves one out"),
    (["~task"], "task is missing from the config"),
    (["~seed"], "seed is missing from the config"),
    (["+task=hopper"], "'+task=hopper' adds a second task: leave out the +"),
    (["task.rewards.x=1"], "task has no key 'rewards' yet: add it with a +, '+task.rewards.x=1'"),
    (
        ["+algorithm.objective.surrogate.weight=1"],
        "algorithm.objective.surrogate.weight is there already: add yours under another name, or change what is",
    ),
    (["algorithm.objective={}"], "algorithm.objective={} changes nothing, for a mapping is merged into what is there"),
    (["seed.x=1"], "seed is a single value, so seed.x does not exist"),
    (["task.frameskip=4"], "task has no key 'frameskip': did you mean 'frame_skip'?"),
    (["+task.frameskip=4"], "task has no key 'frameskip': did you mean 'frame_skip'?"),
    (["task.version=v9"], "task.version=v9 does not exist for Hopper"),
    (["~algorithm.baseline"], "algorithm.baseline is missing from the config"),
    (["~algorithm.discounts.cost"], "algorithm.discounts.cost is missing from the config"),
    (["+algorithm.discounts.rewrd=0.9"], "algorithm.discounts has no key 'rewrd': did you mean 'reward'?"),
    (["+policy._convert_=all"], "policy has no key '_convert_': valid: body, embedding, groups, head, "),
    # what a part needs
    (
        [f"{SURROGATE}._target_=pgrobot.objectives.SimplePolicyOptimization", f"~{SURROGATE}.clip"],
        f"{SURROGATE}.epsilon must be given, as SimplePolicyOptimization needs it: add +{SURROGATE}.epsilon=<value>",
    ),
    (
        ["algorithm.estimator._target_=pgrobot.estimators.n_step", "~algorithm.estimator.lam"],
        "algorithm.estimator.n must be given, as n_step needs it: add +algorithm.estimator.n=<value>",
    ),
    (
        ["algorithm.estimator._target_=pgrobot.estimators.monte_carlo", "~algorithm.estimator.lam"],
        "algorithm.estimator.reward_to_go must be given, as monte_carlo needs it",
    ),
    (["algorithm.estimator._target_=pgrobot.estimators.vtrace"], "algorithm.estimator.rho_bar must be given, as"),
    (["~policy.hidden"], "policy.body.hidden must be given, as Mlp needs it: add +policy.body.hidden=<value>"),
    (["~critic.groups"], "critic.groups must be given, as NetworkCritic needs it"),
    (["~multiplier.kp"], "multiplier.kp must be given, as PID needs it"),
    (["~algorithm.policy_solver.epochs"], "algorithm.policy_solver.epochs must be given, as FirstOrderSolver needs it"),
    (["~constraint.speed.cost.threshold"], "constraint.speed.cost.threshold must be given, as Speed needs it"),
    (["~task.frame_skip"], "task.frame_skip must be given, as Hopper needs it"),
    (["~policy._target_"], "policy._target_ must be given: add +policy._target_=<class or function>"),
    (
        ["algorithm=npg", "~algorithm/rate@algorithm.policy_solver.step.kl"],
        "algorithm.policy_solver.step.kl._target_ must be given",
    ),
    (
        ["policy._partial_=false"],
        "policy.observation must be given, as NetworkPolicy needs it: set policy._partial_=true, so that pgrobot",
    ),
    (["algorithm.estimator._partial_=false"], "estimator.given must be given, as gae needs it: set algorithm."),
    (["+policy.actions=3"], "policy.actions is given by pgrobot itself: leave it out"),
    (["+algorithm.estimator.given=1"], "algorithm.estimator.given is given by pgrobot itself: leave it out"),
    (["hydra.run.dirr=x"], "hydra.run has no key 'dirr': did you mean 'dir'?"),
    (["hydra/launcher=joblb"], "Unknown hydra/launcher 'joblb': did you mean 'joblib'?"),
    (["experiment=fats"], "Unknown experiment 'fats': did you mean 'fast'?"),
    (["task=robot"], "task.xml_file must be given: add task.xml_file=<value>"),
    (["task=robot_class"], "task._target_ must be given: add task._target_=<value>"),
    (["task=gymnasium"], "task.id must be given: add task.id=<value>"),
    (["task=reacher", "constraint=[speed]"], "speed"),
    (["task=dm_control", "task.domain=cheetah", "task.name=run", "constraint=[speed]"], "constraint.speed"),
    # what cannot be read
    (["seed"], "Cannot read the override 'seed': write seed=<value>"),
    (["constraint=[speed,", "torque]"], "quote a list for the shell, as in 'constraint=[speed,torque]'"),
    (["seed=1,2"], "'seed=1,2' names several values: add -m to run one job for each"),
    (["seed=range(3)"], "'seed=range(3)' names several values: add -m to run one job for each"),
    (["--config-dir", "nowhere"], "the config directory 'nowhere' does not exist"),
    (["--mutlirun"], "There is no option --mutlirun: did you mean '--multirun'?"),
    # wrong types and ranges
    (["seed=abc"], "seed must be a whole number of at least 0, not 'abc'"),
    (["seed=true"], "seed must be a whole number of at least 0, not True"),
    (["seed=null"], "seed is missing from the config"),
    (["total_steps=-5"], "total_steps must be a whole number of at least 1, not -5"),
    (["total_steps=nan"], "total_steps must be a whole number of at least 1, not nan"),
    (["total_steps=10"], "total_steps=10 is less than one iteration: num_envs × horizon is 2048"),
    (["num_envs=0"], "num_envs must be a whole number of at least 1, not 0"),
    (["horizon=2.5"], "horizon must be a whole number of at least 1, not 2.5"),
    (["threads=-1"], "threads must be a whole number of at least 0, not -1"),
    (["compile=maybe"], "compile must be true or false, not 'maybe'"),
    (["device=cdua"], "device cannot be 'cdua': valid: cpu"),
    (["constraint.speed.budget=-1"], "constraint.speed.budget must be a number of at least 0, not -1"),
    (["constraint.speed.budget=nan"], "constraint.speed.budget must be a number of at least 0, not nan"),
    (["constraint.speed.budget=inf"], "constraint.speed.budget must be a number of at least 0, not inf"),
    (["constraint.speed.budget=[1]"], "constraint.speed.budget must be a number of at least 0, not [1]"),
    (["constraint.speed.unit=episod"], "constraint.speed.unit cannot be 'episod': did you mean 'episode'?"),
    (
        ["constraint.speed.unit=probability", "constraint.speed.budget=25"],
        "constraint.speed.budget is a probability, so at most 1, not 25.0",
    ),
    (["algorithm=cup", "algorithm.policy_solver.initial=5"], "initial=5.0 exceeds its maximum=2.0"),
    (["constraint.speed=5"], "constraint.speed must have cost, budget, unit, limit, schedule, not be 5"),
    (["constraint.speed.cost.threshold=x"], "constraint.speed.cost.threshold must be a number, not 'x'"),
    (["multiplier.kp=x"], "multiplier.kp must be a number, not 'x'"),
    (["multiplier=lagrangian", "multiplier.learning_rate=-1"], "multiplier.learning_rate must be a number above 0"),
    (["algorithm.policy_solver.rate.initial=-1e-3"], "rate.initial must be a number above 0, not -0.001"),
    (["algorithm.policy_solver.rate.initial=nan"], "rate.initial must be a number above 0, not nan"),
    (["algorithm.policy_solver.minibatch=0"], "minibatch must be a whole number of at least 1, not 0"),
    (["algorithm.policy_solver.minibatch=100"], "does not divide num_envs × horizon, which is 2048: the nearest"),
    (["policy.hidden=64"], "policy.body.hidden must be a list of layer sizes, such as [64,64], not 64"),
    (["algorithm.policy_solver.rate=1e-3"], "such as algorithm.policy_solver.rate.initial, so it cannot be 0.001"),
    (["algorithm.policy_solver=adam"], "such as algorithm.policy_solver.rate, so it cannot be 'adam'"),
    (["algorithm.critic_solver.chain.optimizer=sgd"], "algorithm.critic_solver.chain.optimizer consists of keys"),
    (["algorithm.critic_solver.chain=0.5"], "such as algorithm.critic_solver.chain.optimizer, so it cannot be 0.5"),
    (["+algorithm.critic_solver.chain.mine={decay:1}"], "algorithm.critic_solver.chain.mine._target_ must be given"),
    (["algorithm.policy_solver.chain.clip.max_norm=0"], "chain.clip.max_norm must be a number above 0, not 0"),
    ([DECAY, "algorithm.policy_solver.chain.last.decay=-1"], "chain.last.decay must be a number of at least 0, not -1"),
    ([DECAY, "algorithm.policy_solver.chain.last.of=bias"], "chain.last.of cannot be 'bias': valid: all, matrices"),
    ([f"{DECAY}ed"], "Unknown algorithm/transform 'weight_decayed': did you mean 'weight_decay'?"),
    ([GROUPS, "algorithm.policy_solver.chain.last.rates=2"], "chain.last.rates.*, so it cannot be 2"),
    ([GROUPS, "+algorithm.policy_solver.chain.last.rates={*.bias:-1}"], "rates.*.bias must be a number of at least 0"),
    (["algorithm.policy_solver.max_gradient_norm=0"], "chain.clip.max_norm must be a number above 0, not 0"),
    (["algorithm.policy_solver.maxgradnorm=1"], "calls it algorithm.policy_solver.chain.clip.max_norm and"),
    (["multiplier=crpo", "multiplier.kp=1"], "multiplier has no key 'kp': valid: tolerance"),
    (
        ["algorithm=p3o", "algorithm.objective.penalty.weight=-3"],
        "algorithm.objective.penalty.weight must be a number of at least 0, not -3",
    ),
    (
        ["algorithm=cup", "algorithm.policy_solver.objective.distance.weight=-1"],
        "algorithm.policy_solver.objective.distance.weight must be a number of at least 0, not -1",
    ),
    (["algorithm.objective.surrogate=3"], "such as algorithm.objective.surrogate.weight, so it cannot be 3"),
    (["algorithm.discounts=0.9"], "such as algorithm.discounts.reward, so it cannot be 0.9"),
    (["constraint.speed.cost=3"], "constraint.speed.cost consists of keys"),
    (["diagnostics=none"], "such as diagnostics.gradients, so it cannot be 'none'"),
    (["intrinsic=curiosity"], "Unknown intrinsic 'curiosity': valid: count,"),
    (["intrinsic=null"], "intrinsic cannot be null: intrinsic=[] takes none"),
    (["intrinsic=[grid]"], "intrinsic.grid.size must be given"),
    (["intrinsic=[rnd]", "intrinsic.rnd.weight=-1"], "intrinsic.rnd.weight must be a number of at least 0, not -1"),
    (["intrinsic=[rnd]", "intrinsic.rnd.schedule=cosine"], "intrinsic.rnd.schedule cannot be 'cosine'"),
    (["intrinsic.rnd.weight=0.5"], "intrinsic.rnd.weight is not there because rnd is not selected"),
    (["+intrinsic.curiosity=3"], "such as intrinsic.curiosity._target_, so it cannot be 3"),
    (["+tracker.mine=3"], "such as tracker.mine._target_, so it cannot be 3"),
    (["checkpoint=3"], "checkpoint consists of keys, such as checkpoint.every, so it cannot be 3"),
    (["policy.hidden=[64,-1]"], "policy.body.hidden.1 must be a whole number of at least 1, not -1"),
    (["policy.log_std=9"], "policy.head.log_std is 9"),
    (["policy.log_std_bounds=1"], "policy.head.log_std_bounds must be two ascending numbers, such as [-4,1], not 1"),
    (["policy.log_std_bounds=[-4]"], "policy.head.log_std_bounds must be two ascending numbers, such as [-4,1], not"),
    (["policy.log_std_bounds=[1,-4]"], "log_std_bounds must be two ascending numbers, such as [-4,1], not [1, -4]"),
    (["policy=beta", "policy.concentration_bounds=[3,x]"], "two ascending numbers, such as [1,1000], not [3, 'x']"),
    (["policy.observation_clip=0"], "policy.observation_clip must be a number above 0, not 0"),
    (["critic.observation_clip=-1"], "critic.observation_clip must be a number above 0, not -1"),
    (["algorithm.critic_solver.chain.optimizer.epsilon=0"], "optimizer.epsilon must be a number above 0, not 0"),
    ([ADAPTIVE, "algorithm.policy_solver.rate.factor=0"], "policy_solver.rate.factor must be a number above 1, not 0"),
    ([ADAPTIVE, "algorithm.policy_solver.rate.factor=1"], "policy_solver.rate.factor must be a number above 1, not 1"),
    ([ADAPTIVE, "algorithm.policy_solver.rate.least=0"], "policy_solver.rate.least must be a number above 0, not 0"),
    ([ADAPTIVE, "algorithm.policy_solver.rate.greatest=-1"], "rate.greatest must be a number above 0, not -1"),
    ([ADAPTIVE, "algorithm.policy_solver.rate.target_kl=inf"], "rate.target_kl must be a number above 0, not inf"),
    (
        [ADAPTIVE, "algorithm.policy_solver.rate.least=1"],
        "policy_solver.rate.least is 1.0, which is more than algorithm.policy_solver.rate.greatest, 0.01",
    ),
    ([*ADAPTIVE_STEP, "algorithm.policy_solver.step.kl.factor=0.5"], "kl.factor must be a number above 1, not 0.5"),
    ([*ADAPTIVE_STEP, "algorithm.policy_solver.step.kl.least=0"], "step.kl.least must be a number above 0, not 0"),
    ([*ADAPTIVE_STEP, "algorithm.policy_solver.step.kl.greatest=0"], "kl.greatest must be a number above 0, not 0"),
    ([*ADAPTIVE_STEP, "algorithm.policy_solver.step.kl.least=1"], "step.kl.least is 1.0, which is more than algorithm"),
    (ADAPTIVE_STEP, "kl.initial is 0.02, which lies outside algorithm.policy_solver.step.kl.least and algorithm"),
    (
        ["algorithm=ppo_kl", "algorithm.objective.penalty.least=1e4"],
        "penalty.least is 10000.0, which is more than algorithm.objective.penalty.greatest, 1000.0",
    ),
    (["task.frame_skip=x"], "task.frame_skip must be a whole number, not 'x'"),
    (["task.healthy_z_range=[nan,1]"], "task.healthy_z_range.0 is not a number"),
    (["evaluation.mode=stoch"], "evaluation.mode cannot be 'stoch': did you mean 'stochastic'?"),
    (["evaluation.confidence=95"], "evaluation.confidence must be a number between 0 and 1, not 95"),
    (["evaluation=3"], "evaluation consists of keys, such as evaluation.episodes, so it cannot be 3"),
    # what does not go together
    (
        ["experiment=fast", "algorithm=trpo"],
        "pgrobot: experiment=fast does not go with algorithm=trpo: it changes what is not there",
    ),
    (["algorithm=nac", "experiment=fast", "seed=2"], "pgrobot: experiment=fast does not go with algorithm=nac"),
    (
        ["experiment=efficient", "algorithm=npg"],
        "pgrobot: experiment=efficient does not go with algorithm=npg: algorithm.policy_solver has no key 'minibatch'",
    ),
    (["experiment=fast", "algorithm=a2c"], "experiment=fast does not go with algorithm=a2c: algorithm.passes is 4"),
    (["experiment=fast", "total_steps=3000"], "experiment=fast does not go with total_steps=3000: total_steps=3000 is"),
    (["experiment=fast", "num_envs=0"], "pgrobot: num_envs must be a whole number of at least 1, not 0"),
    (
        ["algorithm=reinforce", "algorithm.passes=2"],
        "algorithm.passes is 2, but algorithm.objective.likelihood is right for the policy that acted only: use pass",
    ),
    (["algorithm=a2c", "algorithm.policy_solver.epochs=3"], "algorithm.policy_solver.epochs is 3, but"),
    (
        ["algorithm=a2c", "algorithm/estimator=vtrace", "algorithm.passes=2", "algorithm.policy_solver.epochs=2"],
        "algorithm.policy_solver.epochs is 2, but",
    ),
    (
        ["algorithm=reinforce", "algorithm.state_discount=true", "algorithm.estimator.reward_to_go=false"],
        "algorithm.state_discount=true would discount a second time what algorithm.estimator.reward_to_go=false",
    ),
    (
        ["algorithm=reinforce", "algorithm/estimator=vtrace", "algorithm.estimator.objective_has_ratio=true"],
        "objective_has_ratio is true, but algorithm.objective.likelihood does not multiply by the ratio π/μ",
    ),
    (
        ["algorithm/estimator=vtrace", "algorithm.estimator.objective_has_ratio=false"],
        "objective_has_ratio is false, but algorithm.objective.surrogate multiplies by the ratio π/μ",
    ),
    (
        [
            "algorithm/estimator=vtrace",
            "+algorithm.objective.second={_target_:pgrobot.objectives.Likelihood,weight:1.0}",
        ],
        "objective_has_ratio is false, but algorithm.objective.surrogate multiplies by the ratio π/μ",
    ),
    (
        ["algorithm=a2c", "algorithm.policy_solver.target_kl=0.01"],
        "algorithm.policy_solver.target_kl=0.01 follows how far the policy moved before a step, which is 0",
    ),
    (
        ["algorithm=reinforce", "algorithm/rate@algorithm.policy_solver.rate=kl_adaptive"],
        "algorithm.policy_solver.rate=kl_adaptive follows how far the policy moved before a step",
    ),
    (
        ["algorithm=ppo_kl", "algorithm.policy_solver.minibatch=2048", "algorithm.passes=1"],
        "algorithm.objective.penalty follows how far the policy moved before a step, which is 0",
    ),
    (
        ["algorithm/rate@algorithm.critic_solver.rate=kl_adaptive"],
        "algorithm.critic_solver.rate=kl_adaptive follows how far a policy moves, and a critic is none: use ",
    ),
    (
        ["algorithm.critic_solver.target_kl=0.1"],
        "algorithm.critic_solver.target_kl=0.1 follows how far a policy moves, and a critic is none: use algorithm",
    ),
    (
        ["algorithm=a2c", "algorithm.policy_solver.minibatch=64"],
        "algorithm.policy_solver.minibatch is 64 of the 2048 rows of an update, but algorithm.objective.likelihood",
    ),
    (
        ["algorithm.memory=2"],
        "which the estimator gae takes for the present one's: use algorithm/estimator=vtrace, or algorithm.memory=1",
    ),
    (["algorithm.memory=0"], "algorithm.memory must be a whole number of at least 1, not 0"),
    (
        ["algorithm=geppo", "total_steps=5000"],
        "memory=4 is more rollouts than training has: total_steps=5000 are 3 of 2048 steps; use algorithm.memory=3",
    ),
    (
        ["algorithm=a2c", "algorithm/estimator=vtrace", "algorithm.memory=2", "algorithm.policy_solver.minibatch=2048"],
        "algorithm.policy_solver.minibatch is 2048 of the 4096 rows of an update, but algorithm.objective.likelihood",
    ),
    (
        ["algorithm=geppo", "algorithm.policy_solver.minibatch=4096"],
        "algorithm.policy_solver.minibatch=4096 does not divide num_envs × horizon, which is 2048: the nearest",
    ),
    (
        ["algorithm/rate@algorithm.critic_solver.rate=tv_adaptive"],
        "algorithm.critic_solver.rate=tv_adaptive follows how far a policy moves, and a critic is none: use ",
    ),
    (
        ["algorithm=a2c", "algorithm.policy_solver.minibatch=64", "algorithm/estimator=vtrace"],
        "algorithm.policy_solver.minibatch is 64 of the 2048 rows of an update",
    ),
    (
        ["algorithm/baseline=linear", "~algorithm.objective.control"],
        "the baseline Projection depends on the action, and no term adds its expectation back: add +",
    ),
    (
        ["algorithm/baseline=quadratic", f"{SURROGATE}.weight=2"],
        "algorithm.objective.control.weight is 1.0, but what it adds back was taken from a surrogate whose weight is",
    ),
    (
        ["algorithm/baseline=linear", f"+algorithm.objective.more={CONTROL}"],
        "algorithm.objective.control and algorithm.objective.more add back the same expectation: leave out all but one",
    ),
    (
        [f"+algorithm.objective.control={CONTROL}"],
        "algorithm.objective.control has nothing to add back, as the baseline Value does not depend on the action",
    ),
    (
        [
            "~algorithm.critic_solver",
            (
                "+algorithm.critic_solver={_target_:pgrobot.solvers.NaturalGradientSolver,_partial_:true,damping:0.1,"
                "fisher:{_target_:pgrobot.solvers.GaussNewtonFisher,fraction:1.0},iterations:10,tolerance:1e-10,"
                "step:{_target_:pgrobot.solvers.KLRadius,kl:{_target_:pgrobot.solvers.Constant,initial:0.01}},"
                "acceptance:{_target_:pgrobot.solvers.FullStep}}"
            ),
        ],
        "algorithm.critic_solver is a NaturalGradientSolver, whose metric is a policy's: use pgrobot.solvers.First",
    ),
    (
        ["algorithm.average.decay=0.9"],
        "algorithm.average.decay=0.9 averages a reference that nothing reads: use it with pgrobot.objectives.Decoupled",
    ),
    (["algorithm=npg", "algorithm.average.decay=0.9"], "algorithm.average.decay=0.9 averages a reference that nothing"),
    # what a config may not name
    (["task._target_=os.system"], "task._target_ names 'os.system', which is not trusted"),
    (["task._target_=pgrobot.run.run"], "task._target_ names 'pgrobot.run.run', which is not trusted"),
    (["task._target_=pgrobot.simulation.task.reduce"], "which is not defined there"),
    (["task._target_=pgrobot.envs.hopper.Hoper"], "pgrobot.envs.hopper has no 'Hoper': did you mean 'Hopper'?"),
    (["task._target_=pgrobot.envs.hoper.Hopper"], "there is no module 'pgrobot.envs.hoper'"),
    (["modules=[nope]"], "modules names 'nope', which Python does not find: install it, or add its folder to"),
    (["modules=[os,nope.sub]"], "modules names 'nope.sub', which Python does not find"),
    (["modules=[os.path.nope]"], "modules names 'os.path.nope', which Python does not find"),
    (["modules=['']"], "modules names '', which Python does not find"),
    (["modules=nope"], "modules must be a list of modules, such as [my_robots], not 'nope'"),
    # files
    (["task.xml_file=nowhere.xml"], "nowhere.xml"),
    (["hydra.run.dir=file/run"], "file/run cannot be made: not a directory"),
    (["resume="], "resume= names no run: give the directory of one"),
    (["resume=nowhere"], "There is no run directory nowhere"),
]  # fmt: skip


@pytest.fixture(autouse=True)
def empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    return tmp_path


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str], directory: Path) -> str:
    before = sorted(directory.rglob("*"))
    assert main(arguments) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("pgrobot: ")
    assert told.err.count("\n") == 1
    assert sorted(directory.rglob("*")) == before
    return told.err


@pytest.mark.parametrize(
    ("overrides", "sentence"), CASES, ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_train_refuses(
    overrides: list[str], sentence: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert sentence in refused(["train", *overrides], capsys, tmp_path)


def test_a_model_that_does_not_parse(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "bad.xml").write_text("<mujoco><worldbody><body></mujoco>")
    assert "bad.xml" in refused(["train", "task.xml_file=bad.xml"], capsys, tmp_path)


def test_a_config_file_that_does_not_parse(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "broken.yaml").write_text("a: [1\nb: }")
    assert "broken.yaml" in refused(
        ["train", "--config-dir", str(tmp_path), "experiment=broken"], capsys, tmp_path
    )


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (["task=hoper,hopper"], "Unknown task 'hoper': did you mean 'hopper'?"),
        (["task=hopper,hoper"], "Unknown task 'hoper': did you mean 'hopper'?"),
        (["seed=range(3)", "num_envs=8,0"], "num_envs must be a whole number of at least 1, not 0"),
        (["seed=0,-1"], "seed must be a whole number of at least 0, not -1"),
        (["hydra.sweep.dir=file/sweep"], "file/sweep cannot be made: not a directory"),
        (["seed=1,1"], "seed=1 would run twice: name each value of a sweep once"),
        (["constraint.speed.budget=10,1e1"], "constraint.speed.budget=10.0 would run twice"),
        (["seed=range(0)"], "seed=range(0) has no values: a sweep needs one at least"),
        (["seed=0,1", "--cfg", "job"], "--cfg tells of one run, and a sweep (-m) has several: leave out -m"),
        (["hydra.sweep.dirr=x"], "hydra.sweep has no key 'dirr': did you mean 'dir' or "),
    ],
)
def test_a_sweep_is_refused_as_a_whole(
    overrides: list[str], sentence: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert sentence in refused(["train", "-m", *overrides], capsys, tmp_path)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["trian"], "There is no command 'trian': did you mean 'train' or 'variance'?"),
        (["evaluate"], "the following arguments are required: run"),
        (["evaluate", "nowhere"], "There is no run directory nowhere"),
        (["evaluate", "nowhere", "--mode", "x"], "invalid choice: 'x'"),
        (["evaluate", "nowhere", "--episodes", "x"], "invalid int value: 'x'"),
        (["sweep", "nowhere"], "nowhere holds no runs"),
    ],
)
def test_other_commands_refuse(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert sentence in refused(arguments, capsys, tmp_path)


def test_nothing_was_asked_of_the_network(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("bad input went to the network"))
    assert main(["train", "task=hoper"]) == 2
    capsys.readouterr()
