"""Whether the tests would notice: faults of the core, each tried against the tests that have to fail.

    python scripts/mutants.py [--jobs N] [--control] [PART …]

By hand, after tests were changed. ``--control`` runs the same tests on the sources as they are.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from mutating import Mutant, Trial, of, tried, untouched
from rich.console import Console
from rich.table import Table

from pgrobot.errors import nearest

CONSOLE = Console()

ESTIMATORS = (
    *of("pgrobot/estimators/gae.py", "exact/test_estimators", {
        "gae bootstraps through a termination": ("~given.terminated * given.next_value", "given.next_value"),
        "gae takes a truncation for a termination": ("~given.terminated * given", "~given.done * given"),
        "gae goes on through a truncation":
            ("(given.discount * lam) * ~given.done", "(given.discount * lam) * ~given.terminated"),
    }),
    *of("pgrobot/estimators/gae.py", "exact/test_estimators_definitions", {
        "td(λ) has one λ": ("lam=target_lam)", "lam=lam)"),
    }),
    *of("pgrobot/estimators/returns.py", "exact/test_estimators_definitions", {
        "a return ends without its bootstrap":
            ("to_go = reverse_scan(given.reward + future,", "to_go = reverse_scan(given.reward,"),
        "rewards to go the other way round": ("if reward_to_go else", "if not reward_to_go else"),
        "n steps land on the wrong value": ("landing = torch.cat((next_value", "landing = torch.cat((value"),
    }),
    *of("pgrobot/estimators/vtrace.py", "exact/test_estimators_definitions", {
        "v-trace does not clip ρ": ("ratio.clamp(max=rho_bar) * delta", "ratio * delta"),
        "v-trace clips c by ρ̄": ("ratio.clamp(max=c_bar)", "ratio.clamp(max=rho_bar)"),
        "v-trace's advantage is its error": ("trace * ahead(error, 1)", "trace * error"),
    }),
    *of("pgrobot/estimators/vtrace.py", "exact/test_estimators_worlds", {
        "v-trace's two weights changed places": ("if objective_has_ratio:", "if not objective_has_ratio:"),
    }),
    *of("pgrobot/estimators/scan.py", "exact/test_estimators", {
        "the scan doubles by one": ("reach *= 2", "reach += 1"),
    }),
    *of("pgrobot/estimators/scan.py", "exact/test_estimators_definitions", {
        "a window multiplies decays twice": ("product * ahead(decay, covered)", "product * decay"),
        "the last row goes on": ("last[-1] = True", "last[-1] |= done[-1]"),
    }),
    *of("pgrobot/estimators/discounting.py", "exact/test_estimators_worlds", {
        "the state discount begins with γ": ("torch.pow(discount, age)", "torch.pow(discount, age + 1)"),
    }),
)  # fmt: skip

BASELINES = (
    *of("pgrobot/baselines/folds.py", "exact/test_baselines", {
        "a fold is fitted on itself": ("~own if count > 1 else own", "own"),
        "a fitted mean forgets its weights": ("(value * weight)[fitted_on].sum()", "value[fitted_on].sum()"),
        "a fold begins with an episode's last step": ("done.cumsum(0) - done.long()", "done.cumsum(0)"),
    }),
    *of("pgrobot/baselines/scalar.py", "exact/test_baselines", {
        "the optimal baseline weighs once": ("given.weight.square()", "given.weight"),
    }),
    *of("pgrobot/baselines/projection.py", "exact/test_baselines", {
        "a projection leaves what it fitted": ("advantage - (coefficients * basis).sum(-1)", "advantage"),
        "the ridge is forgotten": ("gram.diagonal().add_(ridge)", "gram.diagonal().add_(1e-9)"),
    }),
    *of("pgrobot/baselines/normalisation.py", "exact/test_baselines", {
        "standardised but not centred": ("(advantage - counted.mean()) / scale", "advantage / scale"),
    }),
)  # fmt: skip

OBJECTIVES = (
    *of("pgrobot/objectives/policy_gradient.py", "exact/test_objectives", {
        "clipping without the minimum":
            ("torch.minimum(ratio * advantage, clipped * advantage)", "(clipped * advantage)"),
    }),
    *of("pgrobot/objectives/policy_gradient.py", "exact/test_objectives_terms", {
        "decoupled clipping forgets who acted": ("torch.exp(kept_near - batch.log_prob) * ", "1.0 * "),
        "spo's penalty has the advantage's sign": ("batch.advantage.abs() *", "batch.advantage *"),
    }),
    *of("pgrobot/objectives/entropy.py", "exact/test_objectives_terms", {
        "the estimated entropy lacks its ratio":
            ("batch.mean(probability_ratio(policy.here, batch) *", "batch.mean(1.0 *"),
    }),
    *of("pgrobot/objectives/kl.py", "exact/test_objectives_terms", {
        "the penalty's divergence the other way round":
            ("batch.reference.kl(distribution)", "distribution.kl(batch.reference)"),
        "β falls where it should rise": ("weight *= self.factor", "weight /= self.factor"),
    }),
    *of("pgrobot/solvers/problem.py", "exact/test_objectives", {
        "the objective is minimised": ("loss = loss - weight * value", "loss = loss + weight * value"),
        "costs forget the ratio": ("log_ratio.exp().unsqueeze(-1)", "log_ratio.unsqueeze(-1)"),
        "the critic errs by a whole square": ("0.5 * batch.mean(", "batch.mean("),
    }),
)  # fmt: skip

DISTRIBUTIONS = (
    *of("pgrobot/distributions/gaussian.py", "exact/test_distributions_continuous", {
        "a gaussian density without its scale": ("square() - self.log_std -", "square() -"),
        "a gaussian divergence by its own scale":
            ("(self.mean - other.mean) * torch.exp(-other", "(self.mean - other.mean) * torch.exp(-self"),
    }),
    *of("pgrobot/distributions/full_covariance.py", "exact/test_distributions_continuous", {
        "volumes the other way round":
            ("other._log_volume() - self._log_volume()", "self._log_volume() - other._log_volume()"),
    }),
    *of("pgrobot/distributions/squashed.py", "exact/test_distributions_continuous", {
        "squashing without its slope": (" - log_slope(variable).sum(-1)", ""),
        "squashed entropy without its tangents": ("+ 2.0 * tangents", "+ 0.0 * tangents"),
    }),
    *of("pgrobot/distributions/beta.py", "exact/test_distributions_continuous", {
        "a beta density on the unit interval": ("(density - math.log(2.0))", "density"),
        "a beta entropy off by a digamma": ("(total - 2.0)", "(total - 1.0)"),
    }),
    *of("pgrobot/distributions/categorical.py", "exact/test_distributions_discrete", {
        "gumbel noise upside down": ("return -waiting", "return waiting"),
    }),
    *of("pgrobot/distributions/binned.py", "exact/test_distributions_discrete", {
        "an action counts as the bin below": (".round().clamp(0, last)", ".floor().clamp(0, last)"),
    }),
    *of("pgrobot/distributions/multi_categorical.py", "exact/test_distributions_discrete", {
        "an action counts as the choice below": (".round().clamp(0", ".floor().clamp(0"),
        "the least likely choice": ("self.logits.argmax(-1)", "self.logits.argmin(-1)"),
        "one action's entropy for all": ("self.each.entropy().sum(-1)", "self.each.entropy().mean(-1)"),
    }),
    *of("pgrobot/policies/heads/categorical.py", "exact/test_distributions_discrete", {
        "a choice that is none": ("value=-math.inf", "value=0.0"),
    }),
    *of("pgrobot/run/choices.py", "run/test_choices", {
        "a head that was typed is replaced": ("if request.resume or _chose_head(request)", "if request.resume"),
        "a head that a recipe chose is replaced":
            ("named or _head(request.cfg) != _head(validated(compose([])))", "named"),
        "some choices are enough": ("all(action.choices for", "any(action.choices for"),
    }),
    *of("pgrobot/groups.py", "run/test_groups", {
        "an entry's neighbour": ("obs[group][..., at : at + 1]", "obs[group][..., at - 1 : at]"),
        "a critic reads the time unasked": ("if group not in beside]):", "]):"),
        "an entry is read twice": ("if len(set(read)) < len(read):", "if len(set(parts)) < len(parts):"),
    }),
    *of("pgrobot/distributions/categorical.py", "exact/test_distributions", {
        "a categorical divergence without the other": (" - _finite(other.log_probs)", ""),
    }),
)  # fmt: skip

NORMALISERS = (
    *of("pgrobot/normalizer.py", "exact/test_normalizer", {
        "a merge forgets how far the means are": ("shift.square() * (kept * count / total)", "0.0"),
        "the memory has no end":
            ("self.count.clamp(max=max(self.memory - count, 0.0))", "self.count.clone()"),
        "observations are not clipped": (".clamp(-self.clip, self.clip)", ""),
        "a scale's factor upside down":
            ("self.scale / scale.to(self.scale.dtype)", "scale.to(self.scale.dtype) / self.scale"),
    }),
    *of("pgrobot/critics/network.py", "exact/test_normalizer", {
        "the output's bias is not rescaled": (', "bias": factor}', "}"),
    }),
)  # fmt: skip

SOLVERS = (
    *of("pgrobot/solvers/adam.py", "exact/test_solvers", {
        "adam's first moment keeps its bias": ("first / (1.0 - self.beta1**count)", "first"),
    }),
    *of("pgrobot/solvers/adam.py", "exact/test_normalizer", {
        "adam's second moment is rescaled once": ("second * factor.square()", "second * factor"),
    }),
    *of("pgrobot/solvers/rmsprop.py", "exact/test_optimizers", {
        "rmsprop's ε in the wrong place":
            ('self.epsilon_place == "inside"', 'self.epsilon_place == "outside"'),
    }),
    *of("pgrobot/solvers/sgd.py", "exact/test_optimizers", {
        "momentum is dampened":
            ("velocity + update", "velocity + (1.0 - self.momentum) * update"),
    }),
    *of("pgrobot/solvers/first_order.py", "exact/test_solvers", {
        "rows are not shuffled": ("x[order].view(", "x.view("),
        "near is too far": ("if kl > self._target_kl", "if kl < self._target_kl"),
        "the step forgets the bounds": ("self._project(vector), *moments", "vector, *moments"),
    }),
    *of("pgrobot/solvers/chain.py", "exact/test_chain", {
        "a chain goes backwards":
            ("for name, link in links.items())\n", "for name, link in reversed(links.items()))\n"),
        "every link remembers the first's":
            ("update, moments[part],", "update, moments[: part.stop - part.start],"),
    }),
    *of("pgrobot/solvers/clipping.py", "exact/test_chain", {
        "small gradients are stretched": (".clamp(max=1.0)", ""),
    }),
    *of("pgrobot/solvers/weight_decay.py", "exact/test_chain", {
        "biases decay as well": ("len(shape) >= least", "True"),
        "the decay forgets the rate": ("rate * self.decay * vector", "self.decay * vector"),
    }),
    *of("pgrobot/solvers/group_rates.py", "exact/test_chain", {
        "the last pattern counts": ("for p in self.rates if", "for p in reversed(self.rates) if"),
    }),
    *of("pgrobot/solvers/average.py", "exact/test_optimizers", {
        "the average is biased from its start": ("weight = past + 1.0", "weight = past + 1.0 - self.decay"),
    }),
    *of("pgrobot/solvers/linear.py", "exact/test_linear", {
        "directions are not conjugate": ("residual + (square / last) * direction", "residual"),
        "any curvature will do": ("if not bool(quotient > resolution * greatest)", "if False"),
    }),
    *of("pgrobot/solvers/fisher.py", "exact/test_natural_gradient", {
        "the fisher information is twice itself": ("return batch.mean(here.kl(", "return 2.0 * batch.mean(here.kl("),
    }),
    *of("pgrobot/pricing.py", "exact/test_rollout_fields", {
        "padding has a price": ("earned if bool(counts.all()) else earned[counts]", "earned"),
    }),
    *of("pgrobot/solvers/compatible.py", "exact/test_compatible", {
        "compatible features without an intercept": ("fitted - rows.mean(fitted)", "fitted"),
    }),
    *of("pgrobot/solvers/natural_gradient.py", "exact/test_natural_gradient", {
        "damping shortens the step":
            ("curvature = solution.x @ self._length(batch)(solution.x)",
             "curvature = solution.x @ gradient"),
    }),
    *of("pgrobot/solvers/programs.py", "exact/test_enforcement", {
        "a step may cost more than its limit": ("return bool((rows @ y <= room", "return bool((rows @ y <= 1.1 * room"),
        "the way along a limit is not turned": ("along = gain - inverse @ (rows[held] @ gain)", "along = gain"),
        "the shortest way is any": ("and foot @ foot < least:", "and best is None:"),
        "a recovery looks at one cost": ("range(min(count, most) + 1)", "range(min(count, most, 1) + 1)"),
    }),
    *of("pgrobot/solvers/enforcement.py", "exact/test_enforcement", {
        "damping shortens a budgeted step":
            ("length = max(math.sqrt(2.0 * local.radius), least)",
             "return max(math.sqrt(2.0 * local.radius), least)"),
        "a projection may leave the region": ("if spent > local.radius:", "if spent > math.inf:"),
        "a recovery goes by the costs' units": ("unit = np.linalg.norm(rows, axis=1)\n    moved",
                                                "unit = np.ones(len(rows))\n    moved"),
        "a projection in the wrong metric": ('return self.metric == "kl"', 'return self.metric == "l2"'),
        "a projection's price is of another step": ("correction.price / local.reach if", "correction.price if"),
    }),
    *of("pgrobot/solvers/constrained.py", "exact/test_constrained", {
        "a budget counts from where a pass begins": ("return self.slack - self.change", "return self.slack"),
        "the search asks no cost": ("kept = (excess <= allowed).all()", "kept = (excess < math.inf).all()"),
        "costs rise where they should fall": ("worth = largest if exceeded else trial.loss", "worth = trial.loss"),
        "no constraint is solved for": ("limits.slopes @ reward.step <= limits.room",
                                        "limits.slopes @ reward.step <= math.inf"),
        "a bound takes a part of the step": ("if not bool(proposal.step[~free].any()):", "if True:"),
        "a recovery waits for what no step changes":
            ("torch.where(proposal.unit > 0.0, excess / proposal.unit, -math.inf).max()",
             "(excess / proposal.unit).max()"),
        "a recovery keeps what is kept":
            ('math.inf if proposal.case == "recovery" else limits.excess', "limits.excess"),
    }),
    *of("pgrobot/solvers/constrained.py", "exact/test_reduce", {
        "limits have slopes of a process's own": ("torch.stack([mean(pull(unit)[0])", "torch.stack([(pull(unit)[0])"),
        "limits have costs of a process's own": ("- owed, mean(change)", "- owed, (change)"),
        "a search asks for a process's own costs":
            ("self._problem.reduce.mean(self._problem.costs(trial.vector, batch))",
             "self._problem.costs(trial.vector, batch)"),
    }),
    *of("pgrobot/posing.py", "exact/test_rollout_fields", {
        "a decision may cost what a step may": ("return slack * self._reduce.mean(", "return slack + 0.0 * ("),
    }),
    *of("pgrobot/solvers/steps.py", "exact/test_natural_gradient", {
        "half the radius": ("(2.0 * size / curvature)", "(size / curvature)"),
    }),
    *of("pgrobot/solvers/trust_region.py", "exact/test_trust_region", {
        "the search leaves the region": (" & (kl <= radius)", ""),
        "the search accepts what is worse": ("(trial.loss < start.loss) & ", ""),
        "the search begins with a shorter step": ("self.shrink**index", "self.shrink ** (index + 1)"),
    }),
    *of("pgrobot/solvers/rates.py", "exact/test_solvers", {
        "a linear rate goes backwards": ("(self.final - self.initial) * progress", "0.0 * progress"),
        "an adaptive rate is left alone": ("if kl > 2.0 * self.target_kl", "if kl > 20.0 * self.target_kl"),
    }),
    *of("pgrobot/solvers/parameters.py", "exact/test_parameter_bounds", {
        "only the lower bound holds": ("clamp(self.lower, self.upper)", "clamp(self.lower)"),
        "what an upper bound holds is free": ("~(down | up)", "~down"),
    }),
)  # fmt: skip

PAST = (
    *of("pgrobot/replay/weights.py", "exact/test_past_experience", {
        "weights fall half as fast": ("* 12.0 / (m * (m * m - 1))", "* 6.0 / (m * (m * m - 1))"),
        "the tradeoff is turned round": ("(1.0 - self.tradeoff) / (self.rollouts - least) * spread / self.tradeoff",
            "self.tradeoff / (self.rollouts - least) * spread / (1.0 - self.tradeoff)"),
        "weights may hold fewer samples": ("_squares(s, memory) <= square", "_squares(s, memory) <= 1.0"),
        "the present policy is of age 0": ("enumerate(weights, 1)", "enumerate(weights, 0)"),
    }),
    *of("pgrobot/replay/window.py", "exact/test_past_experience", {
        "all rollouts count the same": ("weight=one.weight * count", "weight=one.weight * 1.0"),
        "the oldest comes first": ("side_by_side((newest, *past), self._counts)",
            "side_by_side((*past, newest), self._counts)"),
        "one rollout too many is learnt from": ("[int(again) :][: self._memory - 1]", "[int(again) :][: self._memory]"),
        "a rollout is its own past": ("self._kept[int(again) :]", "self._kept[0:]"),
        "a shorter rollout goes on into its padding": ("cut[-1] |= ~rollout.terminated[-1]", "pass"),
        "a critic begins the past where it begins the newest":
            ("torch.cat([one.carry for one in experiences])",
             "torch.cat([experiences[0].carry for _ in experiences])"),
        "the past is not saved": ("for one in self._kept[: self._memory - 1]", "for one in self._kept[:0]"),
        "what is told of the distance is twice itself": ("float(0.5 * distance.sum()", "float(distance.sum()"),
        "padding is what a budget sees": ("torch.ones_like(cut[-1:]).expand", "torch.zeros_like(cut[-1:]).expand"),
        "what is kept is handed out": ("return x.clone() if isinstance(x, Tensor) else x", "return x"),
    }),
    *of("pgrobot/objectives/generalized.py", "exact/test_past_experience", {
        "the clip is around 1": ("ratio.clamp(center - self.clip, center + self.clip)",
            "ratio.clamp(1.0 - self.clip, 1.0 + self.clip)"),
        "the distance is from who acted": ("moved = (ratio - center).abs()", "moved = (ratio - 1.0).abs()"),
    }),
    *of("pgrobot/solvers/rates.py", "exact/test_past_experience", {
        "the whole clip is near enough": ("if moved > 0.5 * self.clip else rate", "if moved > self.clip else rate"),
        "a pass too far is never the last": ("self.stops and moved > 0.5 * self.clip", "False"),
    }),
    *of("pgrobot/solvers/first_order.py", "exact/test_past_experience", {
        "what a rate follows is forgotten": ('list(state["followed"]) if self._follows else []', "[]"),
        "a rate follows no update": ("for moved in self._followed:", "for moved in ():"),
    }),
    *of("pgrobot/posing.py", "exact/test_past_experience", {
        "costs are centred on all": ("cost_advantage - _mean_of_columns(self.of_newest(cost_advantage, evidence))",
            "cost_advantage - _mean_of_columns(self.counting(cost_advantage, evidence))"),
    }),
    *of("pgrobot/learner.py", "exact/test_past_experience", {
        "budgets see the past": ("self._budgets.price(rollout,", "self._budgets.price(learnt.rollout,"),
        "normalisers see the past": ("self._merge(rollout, evidence)", "self._merge(learnt.rollout, evidence)"),
        "bonuses see the past": ("metrics_of(one.fit, rollout)", "metrics_of(one.fit, learnt.rollout)"),
        "nothing is kept": ("self._window.keep(newest)", "pass"),
    }),
    *of("pgrobot/estimators/vtrace.py", "exact/test_past_experience", {
        "padding is a sample": ("counts = weight.flatten() > 0.0", "counts = weight.flatten() > -1.0"),
    }),
)  # fmt: skip

LEARNER = (
    *of("pgrobot/learner.py", "exact/test_learner", {
        "distances are measured from the policy itself":
            ("left, self._averaged[0])", "left, self.policy_vector.vector)"),
        "one pass is enough": ("last = index + 1 == self._passes", "last = True"),
        "weights do not adapt": ('self.problem.adapt(metrics["policy/kl"])', "{}"),
        "rates are not annealed": ("min(self._updates, self._iterations - 1)", "min(0, self._iterations - 1)"),
        "the critic's normaliser is not merged":
            ("else (self.policy, self.critic):", "else (self.policy,):"),
    }),
    *of("pgrobot/learner.py", "exact/test_normalizer", {
        "moments keep the old unit": ("self.critic_solver.rescale(", "str("),
    }),
    *of("pgrobot/retrospect.py", "exact/test_following", {
        "a column without an end goes on where nobody acts":
            ("obs.expand(len(value), *obs.shape[1:])[ended]", "rollout.next_obs[name][ended]"),
        "padding is what follows": ("rollout.done & rollout.final", "rollout.done & rollout.final[-1]"),
        "a critic remembers the last episode in the next": ("begins = torch.ones(", "begins = torch.zeros("),
    }),
    *of("pgrobot/posing.py", "exact/test_following", {
        "a trace without an end goes on into padding": (" | rollout.final.unsqueeze(-1)", ""),
    }),
    *of("pgrobot/collectors/showing.py", "exact/test_following", {
        "what follows is shown as if the episode went on": ("after[-1:], rollout.done[-1:]", "after[-1:], within[-1:]"),
    }),
    *of("pgrobot/retrospect.py", "exact/test_learner", {
        "a truncated step is followed by itself": ("in rollout.next_obs.items()", "in rollout.obs.items()"),
    }),
    *of("pgrobot/posing.py", "exact/test_learner", {
        "cost advantages are not centred":
            ("cost_advantage - _mean_of_columns(self.of_newest(cost_advantage, evidence))", "cost_advantage"),
    }),
    *of("pgrobot/posing.py", "exact/test_rollout_fields", {
        "a long decision is discounted once": ("discount ** rollout.duration.unsqueeze(-1)", "discount"),
    }),
    *of("pgrobot/posing.py", "exact/test_baselines_training", {
        "a step's age weighs nothing": ("weight = discounted * estimate.weight", "weight = estimate.weight"),
        "a control keeps the returns' scale": ("(discounted / scale)", "discounted"),
        "an expectation is corrected for an older policy": ("(discounted / scale)", "(weight / scale)"),
    }),
    *of("pgrobot/pricing.py", "exact/test_learner", {
        "excess per episode": ("dtype=torch.float64)) / measured.steps", "dtype=torch.float64))"),
        "an episode beyond its limit counts one step": ("self.worth[self._once] = measured.length", "pass"),
    }),
    *of("pgrobot/batch.py", "exact/test_rollout_fields", {
        "padding is learnt from":
            ("torch.where(share > 0.0, share * x, 0.0).sum() / share.sum()", "x.sum() / torch.ones_like(x).sum()"),
    }),
    *of("pgrobot/sequences.py", "exact/test_sequences", {
        "chunks begin without a memory": ("batch.carry[:, 0]", "torch.zeros_like(batch.carry[:, 0])"),
    }),
    *of("pgrobot/unrolling.py", "exact/test_sequences", {
        "what is unrolled forgets": ("output, carry = step(now", "output, _ = step(now"),
    }),
    *of("pgrobot/unrolling.py", "exact/test_along", {
        "a faster way to another step is kept": ("any(name in own for name in changed)", "False"),
    }),
    *of("pgrobot/policies/network.py", "exact/test_along", {
        "along steps, what was done is shown at once": ("0.0, done[:-1])", "0.0, done[1:])"),
    }),
    *of("pgrobot/compilation/products.py", "exact/test_along", {
        "a product that others read is joined": ("if len(part.users) == 1 else ()", ""),
    }),
    *of("pgrobot/solvers/first_order.py", "exact/test_reduce", {
        "every process has a gradient of its own": ("self._reduce.mean(gradient)", "gradient"),
        "a step that asks others is compiled": ("compile_steps and problem.reduce.local", "compile_steps"),
    }),
    *of("pgrobot/solvers/problem.py", "exact/test_rollout_fields", {
        "padding costs": ("batch.mean(c).view(1)", "c.mean().view(1)"),
    }),
    *of("pgrobot/compilation/trace.py", "exact/test_sequences", {
        "what is read is handed to another": ("if node.users)", "if not node.users)"),
    }),
    *of("pgrobot/schemes/blueprint.py", "run/test_schemes", {
        "all learners have the same weights":
            ("stream(self.cfg.seed, f\"{learner}/{name}\" if learner else name)", "stream(self.cfg.seed, name)"),
        "all learners have the same shuffles":
            ("f\"{learner}/{name}\" if learner else name, self.cfg.device", "name, self.cfg.device"),
        "sequences are not checked":
            ("check_sequences(self.cfg.horizon, {\"policy\": policy, \"critic\": critic})", "pass"),
    }),
)  # fmt: skip

COLLECTORS = (
    *of("pgrobot/collectors/simulation.py", "contracts/test_collector", {
        "the next observation is the next episode's": ("step.next_obs.items()", "step.obs.items()"),
        "ages go on through an end": ("np.where(done, 0, self._age + 1)", "self._age + 1"),
        "an episode starts with every rollout": ("start[t] = self._age == 0", "start[t] = t == 0"),
    }),
    *of("pgrobot/collectors/simulation.py", "exact/test_learner", {
        "who has paid may pay again": ("paid[t] = self._cost_columns.paid", "paid[t] = False"),
    }),
    *of("pgrobot/action_map.py", "contracts/test_collector", {
        "actions are not clipped":
            ("np.clip(self.centre + self.unit * action, self.low, self.high)", "self.centre + self.unit * action"),
        "a unit is the whole range": ("0.5 * (right - left)", "(right - left)"),
    }),
    *of("pgrobot/collectors/stagger.py", "contracts/test_stagger", {
        "a step that ends by itself at the cut is seen":
            ("step.censored | cut)", "step.censored | early)"),
        "lengths are one too short": ("length = 1 + (", "length = 0 + ("),
    }),
    *of("pgrobot/action_map.py", "contracts/test_spec", {
        "a choice is no whole number": ("np.rint(mapped[..., self.whole])", "mapped[..., self.whole]"),
    }),
    *of("pgrobot/types.py", "contracts/test_spec", {
        "a picture becomes numbers": ('return self.dtype if self.image else "float32"', 'return "float32"'),
    }),
    *of("pgrobot/simulation/auto_reset.py", "toy_envs/test_environment", {
        "an episode is a step too long": ("self.age >= self._limit", "self.age > self._limit"),
    }),
    *of("pgrobot/simulation/wrappers/wrapped.py", "contracts/test_wrappers", {
        "a wrapper forgets": ('self.load_own_state(state["own"])', "pass"),
    }),
    *of("pgrobot/simulation/wrappers/inspected.py", "contracts/test_wrappers", {
        "a restart is not looked at":
            ('check_observation(self.spec, "what restart(ids) returned", obs, self._name)', "pass"),
    }),
)  # fmt: skip

LEVELS = (
    *of("pgrobot/collectors/decisions.py", "exact/test_manager_worker", {
        "a decision's reward is not discounted within":
            ("** since.unsqueeze(-1)", "** torch.zeros_like(since).unsqueeze(-1)"),
        "a decision begins before its first step": ("last - (count - 1).clamp(min=0)", "last - count.clamp(min=0)"),
        "a trace goes on into padding": ("(counts & padded_next & ~terminated)", "(padded_next & ~counts)"),
        "a manager learns from padding": ("weight=counts.to(steps.weight.dtype)", "weight=torch.ones_like(log_prob)"),
        "a termination is forgotten": ("terminated = ended(steps.terminated) & counts", "terminated = counts & False"),
        "every decision has its bonus at every step": ("(reward / self.duration)", "reward"),
        "budgets see decisions": ("return self.steps", "return self"),
    }),
    *of("pgrobot/collectors/manager_worker.py", "exact/test_manager_worker", {
        "goals go on over a rollout's end":
            ("simulation.carry = self._policy.undecided(simulation.carry)", "simulation.carry = simulation.carry"),
        "a cut episode is asked with another goal":
            ("over = (left.squeeze(-1) <= 1.0) | (last & ~steps.done)", "over = steps.done | last"),
        "the rollout's end is asked with the goal that is over": ("| (last & ~steps.done)", "| (last & False)"),
        "a worker is paid before it acts": ('before - after if self._pay', 'after - before if self._pay'),
    }),
    *of("pgrobot/policies/manager_worker.py", "exact/test_goals", {
        "a goal's unit is a variance": ("clamp(min=_LEAST_VARIANCE).sqrt()", "clamp(min=_LEAST_VARIANCE)"),
        "a manager forgets what it drew": ("left == self.every - 1.0, remembered", "left == self.every, remembered"),
    }),
    *of("pgrobot/policies/hierarchical.py", "exact/test_goals", {
        "a goal is taken for a memory": ("return sum(self.parts[:2])", "return sum(self.parts[:3])"),
    }),
    *of("pgrobot/distributions/two_level.py", "exact/test_goals", {
        "what is certain has no deviation": ("torch.ones_like(self.idle)", "torch.zeros_like(self.idle)"),
    }),
    *of("pgrobot/collectors/manager_worker.py", "exact/test_goals", {
        "goals that would follow are not drawn":
            ("[over] = policy.manager.wished(goals.sample(self._generator))",
             "[over] = policy.manager.wished(goals.deterministic)"),
    }),
    *of("pgrobot/learner.py", "exact/test_goals", {
        "deviations are those where goals are drawn": (
            "observed = self.poser.observed(rollout)",
            "observed = {name: self.poser.of_newest(obs, evidence) for name, obs in rollout.obs.items()}",
        ),
    }),
    *of("pgrobot/posing.py", "exact/test_rollout_fields", {
        "padding is normalised by": ("everywhere if bool(counts.all()) else", "everywhere if bool(counts.any()) else"),
    }),
    *of("pgrobot/solvers/first_order.py", "exact/test_rollout_fields", {
        "padding is reported on": ("return (reports * counts).sum(0) / counts.sum()", "return reports.mean(0)"),
    }),
    *of("pgrobot/schemes/manager_worker.py", "run/test_manager_worker", {
        "costs of a decision fade as its reward does": ("discounts[kind] for kind", 'discounts["reward"] for kind'),
        "a worker begins as its manager does": ("for_worker.policy(WORKER)", "for_worker.policy(MANAGER)"),
        "a worker has no share in the task": ("task_share=self.task_share", "task_share=0.0 * self.task_share"),
        "goals are reached within half a deviation": ("reached=self.reached", "reached=0.5"),
    }),
    *of("pgrobot/policies/manager_worker.py", "exact/test_manager_worker", {
        "a goal is a place": ("manager.entries(self.obs) + manager.wished(goal)", "manager.wished(goal)"),
        "a goal is drawn in every step": ("wished, self.held)", "wished, wished)"),
        "a goal lasts a step too long": ("squeeze(-1) <= 0.0)", "squeeze(-1) <= -1.0)"),
        "a goal has no unit": ("return self.unit * self", "return self"),
        "a held goal has a density":
            ("torch.where(self.decides, self.goals.log_prob(goal), 0.0)", "self.goals.log_prob(goal)"),
    }),
)  # fmt: skip

CONSTRAINTS = (
    *of("pgrobot/constraints/measure.py", "constraints/test_measure", {
        "survival by Nelson and Aalen":
            ("(1.0 - hazard[:-1]).cumprod(dim=0)", "hazard[:-1].cumsum(dim=0).neg().exp()"),
        "a censored step is known": ("known = ~censored", "known = torch.ones_like(censored)"),
        "who has paid is at risk": ("known & ~paid[..., k]", "known"),
    }),
    *of("pgrobot/constraints/price.py", "constraints/test_mix", {
        "costs are mixed as they are": ("cost - cost.mean(dim=tuple(range(cost.dim() - 1)))", "cost"),
        "prices are not averaged": ("1.0 + price.sum().to(advantage)", "1.0"),
    }),
    *of("pgrobot/constraints/verdict.py", "constraints/test_verdict", {
        "a verdict on what is no number": ("if _unknown(sample) else chosen", "if False else chosen"),
    }),
    *of("pgrobot/constraints/sample.py", "constraints/test_verdict", {
        "what is no number is within its limit":
            ("np.where(np.isnan(spending.cost), np.nan, spending.cost > constraint.limit)",
             "(spending.cost > constraint.limit).astype(np.float64)"),
    }),
    *of("pgrobot/constraints/unvaried.py", "constraints/test_unvaried", {
        "a cost that moves between rollouts is still": (" and (not self._count[k] or low[k] == self._value[k])", ""),
        "a cost of nothing is told": ("low[k] == high[k] != 0.0", "low[k] == high[k]"),
    }),
    *of("pgrobot/health/constraints.py", "health/test_budgets_found", {
        "costs that pull alike contradict each other": ("max(cosines) < OPPOSED", "True"),
        "one look is enough to oppose": ("max(cosines) < OPPOSED", "min(cosines) < OPPOSED"),
        "who is not pressed is stuck": ("and (_recovering(view) or _at_maximum(view, name, STILL))", ""),
    }),
    *of("pgrobot/health/history.py", "health/test_budgets_found", {
        "a cost that occurred may occur no more": ("self._idle.get(place, True) and value == 0.0", "value == 0.0"),
    }),
    *of("pgrobot/constraints/tightening.py", "constraints/test_tightening", {
        "a schedule ends with the annealing": ("progress / self.until", "progress"),
        "a budget goes on past its end": ("if progress >= self.until:", "if False:"),
    }),
    *of("pgrobot/learner.py", "constraints/test_tightening", {
        "budgets are never tightened": ("self._updates / self._iterations)", "0.0)"),
    }),
    *of("pgrobot/pricing.py", "constraints/test_tightening", {
        "a schedule is told and not priced":
            ("torch.tensor(budgets, dtype", "torch.tensor([c.budget for c in self._constraints], dtype"),
    }),
    *of("pgrobot/constraints/budgets.py", "constraints/test_budgets", {
        "an episode pays at every step": (" & ~self.paid\n", "\n"),
        "an episode remembers the one before": ("self.paid[done] = False", "pass"),
        "a payment hides what is no number": ("np.where(np.isnan(self._sum), np.nan, first)", "first"),
    }),
    *of("pgrobot/constraints/lagrangian.py", "constraints/test_lagrangian", {
        "a price goes the wrong way": ("maximize=True", "maximize=False"),
        "a price below zero": ("clamp_(0.0, self._maximum)", "clamp_(max=self._maximum)"),
    }),
    *of("pgrobot/constraints/augmented.py", "constraints/test_augmented", {
        "a multiplier takes over too early": ("self._count % self._every == 0", "self._every > 0"),
        "the price that acts is the multiplier":
            ("self._level = (self._held + push).clamp(0.0, self._maximum)", "self._level = self._held.clone()"),
        "a held multiplier below zero":
            ("self._held = (self._held + push).clamp(0.0, self._maximum)", "self._held = self._held + push"),
    }),
    *of("pgrobot/constraints/crpo.py", "constraints/test_crpo", {
        "the switch takes the first violation": ("int(rate.argmax())", "int((rate > self._tolerance).int().argmax())"),
        "the switch climbs a cost": ("return cost.mean() - cost", "return cost - cost.mean()"),
        "the switch tolerates nothing": ("(rate > self._tolerance)", "(rate > 0.0)"),
    }),
    *of("pgrobot/objectives/budgets.py", "exact/test_reduce", {
        "a barrier of a process's own rows": (
            "policy.everywhere(predicted_excess(policy.here, batch, self.clip))\n        greatest",
            "predicted_excess(policy.here, batch, self.clip)\n        greatest",
        ),
    }),
    *of("pgrobot/reduce.py", "exact/test_reduce", {
        "a mean of all has no gradient": ("return gradients[0], None", "return 0.0 * gradients[0], None"),
    }),
    *of("pgrobot/choice.py", "conf/test_solvers_of_solvers", {
        "a solver of solvers is asked itself": ("if first not in parts:", "if True:"),
        "passes go on with every objective": ('(self.node["passes"] if posed.own else 1)', 'self.node["passes"]'),
        "those that a solver is made of are unknown":
            ("            yield from self._solvers(below)", "            pass"),
    }),
    *of("pgrobot/configure/agreement.py", "conf/test_solvers_of_solvers", {
        "a projection is measured from an average": ("not posed.own or choice.node", "choice.node"),
    }),
    *of("pgrobot/constraints/crpo.py", "conf/test_keeping", {
        "CRPO under any multiplier": ('makes: ClassVar[str] = "crpo"', 'makes: ClassVar[str] = ""'),
    }),
    *of("pgrobot/objectives/budgets.py", "exact/test_budget_terms", {
        "an excess is noise where it begins":
            ("unsqueeze(-1) - 1.0\n", "unsqueeze(-1)\n"),
        "a cost is clipped in its own favour": ("torch.maximum(deviation", "torch.minimum(deviation"),
        "what is kept pays too": ("-excess.clamp(min=0.0).sum()", "-excess.sum()"),
        "a barrier has no sharpness": ("margin.log().sum() / self.sharpness", "margin.log().sum()"),
        "recovery goes for all at once": ("/ self.sharpness, -greatest)", "/ self.sharpness, -excess.sum())"),
    }),
    *of("pgrobot/objectives/gated.py", "exact/test_budget_terms", {
        "the divergence the other way round":
            ("policy.here.kl(batch.reference)", "batch.reference.kl(policy.here)"),
        "those that learn are told as those that wait": ("1.0 - batch.mean(near)", "batch.mean(near)"),
        "no state waits": ("torch.where(near > 0.0, gain, 0.0)", "gain"),
    }),
    *of("pgrobot/solvers/update_projection.py", "exact/test_budget_terms", {
        "a projection from where the update began": ("reference=half", "reference=batch.reference"),
        "a price moves in every pass": ("self._due = False", "pass"),
        "a projection without a price": ("if bool((price > 0.0).any()):", "if True:"),
        "a cost is worth one step": ("(1.0 - discount * lam) / (1.0 - discount)", "1.0"),
        "a projection's rate stays what it was": ("        self._projection.anneal(progress)\n", ""),
        "a projection forgets a scale": ("        self._projection.rescale(factor)\n", ""),
    }),
    *of("pgrobot/constraints/bounds.py", "constraints/test_bounds", {
        "student has a degree too many": ("len(sample.amount) - 1))", "len(sample.amount)))"),
        "a hit is not counted": ("ppf(confidence, hits + 1, count - hits)", "ppf(confidence, hits, count - hits)"),
    }),
    *of("pgrobot/constraints/bounds.py", "constraints/test_betting", {
        "a bet is won too early": (">= -math.log1p(-confidence)", ">= -0.5 * math.log1p(-confidence)"),
    }),
    *of("pgrobot/constraints/bounds.py", "constraints/test_looks", {
        "bettors plan for what has come": ("(planned * variance)", "(len(amount) * variance)"),
        "bettors do not share the money": ("axis=0) - math.log(len(stakes))", "axis=0)"),
        "each bettor bets on the whole": ("math.log(len(planned)) - math.log1p", "-math.log1p"),
    }),
    *of("pgrobot/constraints/inference.py", "constraints/test_looks", {
        "looks do not share": ("1.0 - (1.0 - confidence) / parts", "confidence"),
    }),
    *of("pgrobot/diagnostics/accounting.py", "diagnostics/test_accounting", {
        "iterations make up for each other": ("totals[3] + above.clamp(min=0.0)", "totals[3] + above"),
        "what is censored counts as whole": ("ended = ended[~rollout.censored.T[rollout.done.T]]", "pass"),
        "steps have no weight": ('[steps if c.unit == "step" else', '[steps if c.unit == "" else'),
    }),
    *of("pgrobot/certificate/statement.py", "certificate/test_certify", {
        "one end of each budget": ("sides = 2 * len(constraints)", "sides = len(constraints)"),
    }),
    *of("pgrobot/certificate/sampling.py", "certificate/test_sampling", {
        "every batch has the same episodes": ("batch_plan(terms, number,", "batch_plan(terms, 1,"),
        "an environment too many has one more": ("(envs < count %", "(envs <= count %"),
        "the most is that of the last batch": ("np.max([part.most for part in parts], axis=0)", "parts[-1].most"),
        "what broke before is forgotten":
            ("tuple(sentence for part in parts for sentence in part.failures)", "parts[-1].failures"),
    }),
    *of("pgrobot/certificate/fingerprints.py", "certificate/test_certify", {
        "the order of a state counts": ("sorted(value, key=str)", "value"),
    }),
    *of("pgrobot/certificate/verifying.py", "certificate/test_verify", {
        "other versions excuse everything": ('in ("undecided", here["verdict"])', 'in there["verdict"]'),
        "types do not count": ("type(told) is type(found) and told == found", "told == found"),
        "what varied is believed": ("if terms.variation != (found := varied(judged.cfg)):", "if False:"),
        "all intervals meet": ("if low == high or least == most:", "if True:"),
    }),
    *of("pgrobot/constraints/inference.py", "constraints/test_verdict", {
        "satisfied by the lower bound": ("if upper <= budget:", "if lower <= budget:"),
    }),
    *of("pgrobot/constraints/verdict.py", "constraints/test_verdict", {
        "what broke is bounded": ("math.inf if spending.broken else high", "high"),
    }),
)  # fmt: skip

STATE = (
    *of("pgrobot/randomness.py", "exact/test_learner", {
        "all streams are one": ("[seed, zlib.crc32(component.encode())]", "[seed]"),
    }),
    *of("pgrobot/archive.py", "files/test_checkpoint", {
        "checksums are not compared": ("archive.testzip() is None", "bool(archive.namelist())"),
        "a checkpoint runs what it holds": ("weights_only=True)", "weights_only=False)"),
    }),
    *of("pgrobot/checkpoint.py", "files/test_checkpoint", {
        "a view takes along what it views": ("copy=True).contiguous()", "copy=False)"),
    }),
    *of("pgrobot/guard.py", "exact/test_guard", {
        "nothing is rolled back": ("self.learner.load_state_dict(before)", "pass"),
        "what explodes is kept": ("check_state(self.learner.state_dict(), suspects=_suspects(metrics))", "pass"),
    }),
)  # fmt: skip

DEPLOYED = (
    *of("pgrobot/acting.py", "deploy/test_acting", {
        "what was drawn is not remembered": ("self.carry = self._policy.remember(carry, action)", "pass"),
        "what is drawn is not the deterministic action": ("distribution.deterministic", "distribution.mean + 1.0"),
    }),
    *of("pgrobot/deploy/policy.py", "deploy/test_acting", {
        "an episode begins with every step": ("self._start[:] = False", "pass"),
        "episodes that end are gone on with": ("self._start |= where", "pass"),
        "whole numbers are cut, not rounded": ("np.rint(action)", "action"),
        "choices begin at zero": (" if form.start else sent", " if form.start == 0 else sent"),
        "draws go on under another seed": ("stream(_whole(seed), ", "stream(0 * _whole(seed), "),
    }),
    *of("pgrobot/deploy/observations.py", "deploy/test_acting", {
        "what is not finite is read": ("(np.abs(row) <= _MOST)", "(row == row)"),
        "a choice that is none is read": ("(place < most)", "(place < most + 99)"),
        "parts are read as of one size": ("if len(alone) > 1:", "if False:"),
    }),
    *of("pgrobot/deploy/travelling.py", "deploy/test_travelling", {
        "what stays is taken along": ("if name not in spec.left_behind", "if name"),
    }),
    *of("pgrobot/deploy/parity.py", "deploy/test_exporting", {
        "nothing is compared": ("greatest = max(greatest, ", "_ = max(greatest, "),
    }),
    *of("pgrobot/deploy/exporting.py", "deploy/test_exporting", {
        "what is not a number is near enough": ("if not found <= MOST:", "if found > MOST:"),
        "anything is written over": ("if others or", "if not others and"),
    }),
    *of("pgrobot/deploy/exportable.py", "deploy/test_exporting", {
        "a memory is left out": ("if trained.policy.carry_size:", "if False:"),
        "exported actions are not mapped": ("self.centre + self.unit * action.double()", "action.double()"),
    }),
)  # fmt: skip

DRONES = (
    *of("envs/drone/frames.py", "robots/test_drone", {
        "a drone sees the world's axes turned twice": ("rotation(quaternion)[(", "rotation(quaternion).mT[("),
    }),
    *of("envs/drone/hover.py", "robots/test_drone", {
        "a goal is seen from the north": ("in_body(simulation.qpos[:, 3:7], GOAL - simulation.qpos[:, :3])",
                                          "GOAL - simulation.qpos[:, :3]"),
    }),
    *of("envs/drone/costs.py", "robots/test_drone", {
        "an early crash is no straying": ("> settled) | simulation.fallen)", "> settled))"),
        "who leaves the bounds has crashed":
            ("simulation.fallen & ~bounds.left(here).any(axis=1)", "(simulation.fallen)"),
    }),
    *of("envs/drone/pilot.py", "robots/test_drone", {
        "the lqr leans the other way": ("-rotation[:, 1], rotation[:, 0]", "rotation[:, 1], -rotation[:, 0]"),
    }),
    *of("envs/drone/corridor.py", "robots/test_drone_course", {
        "a drone jumps over pillars": ("np.clip(np.vecdot(to_begin, way) / squared, 0.0, 1.0)",
                                       "np.clip(np.vecdot(to_begin, way) / squared, 1.0, 1.0)"),
        "pillars do not come again": ("np.round(to_end[..., 0] / self.period)", "0.0"),
        "a pillar may stand on the start": ("<= self.clearance:", "<= 0.0:"),
    }),
    *of("envs/drone/corridor.py", "robots/test_drone_rays", {
        "rays of a drone look north":
            ("directions(flight(simulation), np.deg2rad", "directions(0.0 * flight(simulation), np.deg2rad"),
        "a crash has something ahead": ("np.where(self.terminated(simulation), 0.0, simulation.after[:, 3])",
                                        "simulation.after[:, 3]"),
        "rays look beyond a round": ("min(REACH, self.period / 2 - self.clearance)", "REACH"),
    }),
    *of("envs/drone/rays.py", "robots/test_drone_rays", {
        "a ray sees what lies behind": ("(inside > 0.0) & (ahead > 0.0)", "(inside > 0.0)"),
        "a ray ends in the middle of a pillar": ("ahead - np.sqrt(np.maximum(inside, 0.0))", "ahead"),
    }),
    *of("envs/drone/course.py", "robots/test_drone_rays", {
        "a start turns to one side": ("(-self.start_heading, self.start_heading)", "(0.0, self.start_heading)"),
    }),
    *of("envs/drone/course.py", "robots/test_drone_course", {
        "a passed pillar comes next": ("% self.period - passed", "% self.period"),
        "all speed is paid": ("np.minimum(progress, self.paid_speed * simulation.dt)", "progress"),
        "left is right": ("(self.width / 2 - y, self.width / 2 + y", "(self.width / 2 + y, self.width / 2 - y"),
    }),
    *of("envs/drone/gates.py", "robots/test_drone_course", {
        "a gate is as wide as a point": ("self.opening / 2 - RADIUS)", "self.opening / 2)"),
        "nothing is missed backwards": ("missed: np.ndarray = crossed &", "missed: np.ndarray = crossed & forward &"),
    }),
)  # fmt: skip

MAZES = (
    *of("envs/base.py", "any_robot/test_base", {
        "a robot leans against the world, not its pose": ("up=rotation.T @ UP", "up=UP"),
        "forward stays where it was when a robot turns":
            ("(rotation @ self.forward)[:, :2]", "self.forward[None, :2].repeat(simulation.num_envs, 0)"),
    }),
    *of("envs/seen.py", "any_robot/test_base", {
        "the place on the floor is observed": ("positions[q : q + 2] = False", "positions[q : q + 1] = False"),
        "velocities are observed in the world's frame": ("[:, None] @ rotation", "[:, None]"),
    }),
    *of("envs/terminations.py", "any_robot/test_terms", {
        "what is no number has fallen": (
            "found.position(simulation)[:, 2] < (limit or share * found.height)",
            "~(found.position(simulation)[:, 2] >= (limit or share * found.height))",
        ),
    }),
    *of("envs/rewards.py", "any_robot/test_remembering", {
        "a foot is paid at every touch": ("touching(simulation, parts) & (aloft > 0.0)", "touching(simulation, parts)"),
        "an episode's first command is a jump": ("np.where(simulation.age > 1, change, 0.0)", "change"),
    }),
    *of("envs/any_robot.py", "any_robot/test_any_robot", {
        "a start leaves the joints' limits": ("np.where(limited, inside, drawn)", "drawn"),
        "a keyframe is its positions alone": ("replace(starts, state=rows)", "starts"),
        "a keyframe's velocity is lost": ("qvel[model.jnt_dofadr[moving]] += ", "qvel[model.jnt_dofadr[moving]] = "),
    }),
    *of("envs/point_maze.py", "robots/test_point_maze", {
        "a dense maze ends at its goal": ('& (self.reward == "sparse")', '& (self.reward != "")'),
        "a limit counts no frame skip": ("math.ceil(steps / self.frame_skip)", "steps"),
        "a dense reward is the distance": ("np.exp(-length(simulation.after))", "-length(simulation.after)"),
        "start and goal change places": ("start, goal = pairs[", "goal, start = pairs["),
        "starts lie in the middle": ("random.uniform(-SPREAD, SPREAD, 4)", "0.0 * random.uniform(-SPREAD, SPREAD, 4)"),
        "a goal may be the start": ("distance < CLOSEST", "distance <= CLOSEST"),
        "the speed of the goal is seen": ("qvel[:, :2], qpos[:, 2:]", "qvel[:, 2:], qpos[:, 2:]"),
        "the walls are half as thick": ("size=[*half, HEIGHT / 2]", "size=[*(half / 2), HEIGHT / 2]"),
    }),
    *of("envs/maze_map.py", "robots/test_point_maze", {
        "a map is upside down": ("len(self.rows) / 2 - row - 0.5]", "row + 0.5 - len(self.rows) / 2]"),
        "the start is a goal of its own": ("for goal in self.goals if start != goal", "for goal in self.goals"),
        "marked starts are not heeded": ('self._of("S") or self.free', "self.free"),
        "one may go through a corner": ("((row - 1, column), (row", "((row - 1, column - 1), (row, column - 1), (row"),
    }),
    *of("envs/maze_oracle.py", "robots/test_point_maze", {
        "the oracle drives on at a bend": ("cells[int(bends.argmax()) if bends.any() else -1]", "cells[-1]"),
        "the oracle counts a step less": ("range(1, task.max", "range(0, task.max"),
    }),
    *of("envs/quadruped.py", "robots/test_quadruped", {
        "the command is seen from the world":
            ("velocity = in_frame(simulation.qpos[:, 3:7], qvel[:, :3])", "velocity = qvel[:, :3]"),
        "nobody is told to stand": ("< self.standing] = 0.0", "< 0.0] = 0.0"),
        "a foot in the air is forgotten": ("simulation.memory(\"air\") + simulation.dt", "simulation.dt"),
    }),
    *of("pgrobot/simulation/action_scaling.py", "simulation/test_action_scaling", {
        "clipping is about zero": ("np.maximum(low, offset - clip)", "np.maximum(low, -clip)"),
        "a list may be too short": ("len(given) != len(names)", "len(given) > len(names)"),
    }),
    *of("pgrobot/action_map.py", "simulation/test_action_scaling", {
        "a filter begins at zero, not at the stance": ("                rest[a] = centre[a]\n", ""),
        "a stance is left in the spec": ("if action.mapped:", "if False:"),
    }),
    *of("pgrobot/simulation/memory.py", "simulation/test_memory", {
        "what is due is never drawn": ("        if ids.size:\n", "        if False:\n"),
        "all draw from the first stream": ("randoms[i] for i in ids.tolist()", "randoms[0] for i in ids.tolist()"),
        "a command outlives its episode":
            ("kept[ids] = drawn.get(name, 0.0)", "kept[ids] = drawn.get(name, kept[ids])"),
        "a broken simulation is told to all": ("checked[name][but] = kept[but]", "pass"),
    }),
    *of("pgrobot/simulation/environment.py", "simulation/test_memory", {
        "progress jumps with the goal": ("            self._mark = unwritten(behaviour.reward_state())\n", ""),
    }),
    *of("pgrobot/simulation/behaviour.py", "robots/test_point_maze", {
        "the name of an end is lost": ("named | endings", "endings"),
    }),
    *of("pgrobot/simulation/variation/writing.py", "variation/test_models", {
        "a mass leaves its inertia behind": ("self._inertia[at] * np.repeat", "self._inertia[at] + 0.0 * np.repeat"),
        "nothing follows from what was drawn": ("self._models.settle(ids)", "pass"),
        "an inertia keeps what was drawn before": ("self._flat[INERTIA][ids] = self._inertia", "pass"),
    }),
    *of("pgrobot/simulation/variation/draws.py", "variation/test_draws", {
        "a follower's own share is ρ": ("np.sqrt(1.0 - entry.correlation**2)", "1.0 - entry.correlation"),
        "log-uniform is uniform": ("np.exp(self._log_low + share[:, at] * self._log_width)",
                                   "self._low[at] + share[:, at] * self._width[at]"),
    }),
    *of("pgrobot/simulation/variation/varied.py", "variation/test_draws", {
        "a resumed curriculum begins anew":
            ('self._curriculum.load_state_dict(state["curriculum"])', "pass"),
    }),
    *of("pgrobot/simulation/variation/drawn.py", "variation/test_draws", {
        "a resumed world keeps its models": ("        self._write(np.arange(len(self._drawn)), strength)\n", ""),
        "all entries draw from one stream": ('f"variation/{name}"), num_envs)', '"variation/"), num_envs)'),
    }),
    *of("pgrobot/simulation/variation/pushes.py", "variation/test_pushes", {
        "a push never ends": ("self._force[i, body] = before", "pass"),
        "a push is as strong on every robot": ("if push.kind == VELOCITY", "if False"),
        "directions are those of a cube": ("random.standard_normal(len", "random.uniform(-1.0, 1.0, len"),
        "the next push is not saved": ("self._wait[:], self._drawn[:] = ", "_, self._drawn[:] = "),
        "a push comes a step late": ("            self._wait[i, p] -= 1\n", ""),
    }),
    *of("pgrobot/simulation/variation/schedule.py", "variation/test_draws", {
        "a failure does not move down": ("self._by, -self._by)", "self._by, 0.0)"),
        "a broken episode counts": ("np.flatnonzero(ended & ~broken)", "np.flatnonzero(ended)"),
    }),
    *of("pgrobot/simulation/batch.py", "variation/test_models", {
        "contact forces are the shared model's": ("            self.models.write(i, self._model)\n", ""),
    }),
    *of("envs/costs/violations.py", "variation/test_models", {
        "limits stay those of the first episode":
            ("self._now = self._limits()\n\n    def load_state_dict", "pass\n\n    def load_state_dict"),
    }),
    *of("envs/costs/choice.py", "costs/test_chosen_parts", {
        "a pattern counts before a name": ("pattern: 2 if pattern in names", "pattern: -1 if pattern in names"),
        "a part without a limit has none": ("if np.isnan(limit)):", "if False):"),
    }),
    *of("envs/costs/energy.py", "costs/test_whole_robot", {
        "work goes on from the episode before": ("self._before[ids] = self._now()[ids]", "pass"),
        "work given back is won": ("np.abs(self._torque() * way)", "(self._torque() * way)"),
    }),
    *of("envs/costs/contact.py", "costs/test_whole_robot", {
        "contacts press one by one": ("NET, ONE, WIDTH = 3,", "NET, ONE, WIDTH = 2,"),
    }),
    *of("envs/costs/posture.py", "costs/test_whole_robot", {
        "a body stands upright by its own axes": ("rotation @ up", "rotation[:, 2]"),
    }),
    *of("envs/toys/t_maze.py", "toy_envs/test_environment", {
        "the sign of a maze stays": ("np.where(walked == 0.0, side, 0.0)", "side"),
        "every step of a maze pays": ("(following[:, 1] == self._length) & (", "(following[:, 1] <= self._length) & ("),
        "a maze pays for the wrong side": ("action[:, 0] * side > 0.0", "action[:, 0] * side < 0.0"),
    }),
)  # fmt: skip

MEMORY = (
    *of("pgrobot/bodies/recurrent.py", "exact/test_memory", {
        "a memory goes on through a start": ("torch.where(episode_start.unsqueeze(-1), 0.0, carry)", "carry"),
        "what is observed does not reach the perceptron": ("seen = torch.cat((x,", "seen = torch.cat((0 * x,"),
        "no units learn from chunks": ("sequence if units else 1", "sequence"),
    }),
    *of("pgrobot/bodies/gru.py", "exact/test_memory", {
        "the gates changed places": ("reset, keep, new = read", "keep, reset, new = read"),
        "a gate begins open": ("bias[1] = KEEP", "bias[1] = 0.0"),
    }),
    *of("pgrobot/bodies/lstm.py", "exact/test_memory", {
        "nothing is forgotten": ("torch.sigmoid(keep) * cell", "cell"),
        "the cell is not handed on": ("torch.cat((said, cell), -1)", "torch.cat((said, said), -1)"),
    }),
    *of("pgrobot/policies/network.py", "exact/test_memory", {
        "the last action outlives its episode": ("torch.where(episode_start.unsqueeze(-1), 0.0, done)", "done"),
        "what was done is not remembered": ("self.shown(action)), -1)", "0 * self.shown(action)), -1)"),
    }),
    *of("pgrobot/wrappers/action_filter.py", "contracts/test_action_filter", {
        "a filter by Euler's step": ("math.exp(-dt / time_constant)", "max(0.0, 1.0 - dt / time_constant)"),
        "a filter goes on through an end": ("np.where(ended[:, None], self._rest, done)", "done"),
        "a filter goes on through a restart": ("self._last[ids] = self._rest", "pass"),
        "the rate is of the space, not the policy": ("self._most * self._bounds.unit", "self._most"),
        "choices are filtered": ("if action.choices:", "if False:"),
    }),
    *of("pgrobot/probing.py", "run/test_probe", {
        "costs per step are averaged over episodes": ("total.sum() / episodes.lengths.sum()", "each.mean()"),
        "an episode at its limit exceeds it": ("(each <= most)", "(each < most)"),
        "a probability is a sum": ("(total > constraint.limit).mean()", "total.mean()"),
    }),
    *of("pgrobot/wrappers/allowances.py", "contracts/test_budget_wrappers", {
        "a budget is spent by the first costs": ("cost[:, self._columns]", "cost[:, : len(self._columns)]"),
        "what is spent outlives its episode": ("self._spent[ids], self._fade[ids] = 0.0, 1.0", "self._fade[ids] = 1.0"),
        "what is left does not fade": ("(self._allowed * self._fade)", "self._allowed"),
        "a budget that is spent is exceeded": ("self._spent > self._allowed", "self._spent >= self._allowed"),
        "a schedule counts one environment": ("self._steps += len(cost)", "self._steps += 1"),
        "a budget tightens within an episode": ("self._allowed[ids] = ", "self._allowed[:] = "),
    }),
    *of("pgrobot/wrappers/early_termination.py", "contracts/test_budget_wrappers", {
        "only its own ends begin anew": ("np.flatnonzero(ended | over)", "np.flatnonzero(over)"),
        "an early end has a value": ("terminated=step.terminated | over", "terminated=step.terminated"),
        "evaluations end early": ("if self._training else step", "if True else step"),
    }),
    *of("pgrobot/wrappers/saute.py", "contracts/test_budget_wrappers", {
        "evaluations are paid otherwise": ("if self._training:", "if True:"),
        "the successor begins anew": ("next_obs = self._shown(step.next_obs)\n", "next_obs = step.next_obs\n"),
    }),
    *of("pgrobot/assembly.py", "contracts/test_budget_wrappers", {
        "evaluations are trained in": ('"training": strength is Strength.SCHEDULED', '"training": True'),
    }),
    *of("pgrobot/wrappers/filtering.py", "contracts/test_action_filter", {
        "a filter that was taken along begins where it was":
            ("torch.where(episode_start.unsqueeze(-1), self.rest, last)", "last"),
        "it forgets": ("torch.cat((done, self", "torch.cat((0 * done, self"),
        "it filters what is beyond the bounds":
            ("torch.minimum(torch.maximum(self.policy.command(drawn), self.low), self.high)",
             "self.policy.command(drawn)"),
        "likelihoods are of what is done": ("self.by.parts(action)[0]", "self.by.parts(action)[1]"),
    }),
    *of("pgrobot/wrappers/delay.py", "contracts/test_delay", {
        "actions are as late as observations": ("self._late[0])", "self._late[1])"),
        "actions outlive their episode": ("self._told.fill(ids, self._rest)", "pass"),
        "observations outlive their episode": ("line.fill(ids, obs[name][ids, None])", "pass"),
        "the greatest delay is never drawn": ("(high - low + 1)", "(high - low)"),
        "delays are not saved": ("self._late, told = (", "_, told = ("),
        "a line is saved the oldest first": ("self._newest - np.arange(length)", "self._newest + np.arange(length)"),
    }),
    *of("pgrobot/wrappers/showing.py", "contracts/test_delay", {
        "the last successor is shown as it is": ("next_obs = self.shown(step.next_obs)", "next_obs = step.next_obs"),
        "a wrapper goes on through an end": ("self.begin(ended, step.obs)", "pass"),
        "a restart begins no episode": ("self.begin(ids, obs)", "pass"),
    }),
    *of("pgrobot/wrappers/history.py", "contracts/test_mask_and_history", {
        "a restart shows what was before": ("self._seen[name][ids] = self._begun(value[ids])", "pass"),
        "a history is not saved": ("value.copy()) for name, value in self", "0 * value) for name, value in self"),
    }),
    *of("pgrobot/wrappers/mask.py", "contracts/test_mask_and_history", {
        "the successor is not masked": ("next_obs=self._masked(step.next_obs)", "next_obs=step.next_obs"),
        "any name is taken": ("_check_known(pattern, observation)", "pass"),
    }),
    *of("pgrobot/wrappers/noise.py", "contracts/test_noise", {
        "a bias is drawn at every step": ("self._bias * self._lasting[ids]", "self._bias * self._error[ids]"),
        "a restart measures everybody anew": ("        self._draw(ids)", "        self._draw(self._all)"),
        "a uniform draw is half as wide": ("np.sqrt(3.0)", "np.sqrt(0.75)"),
        "errors are not saved": ("self._lasting, self._error = (", "_, _ = ("),
    }),
    *of("pgrobot/wrappers/numbers.py", "contracts/test_numbers", {
        "saving leaves the stream ahead": ("        self.forget()\n\n", "        pass\n\n"),
        "what was taken is drawn again": ("(int(self._taken[i]), self._rows", "(0, self._rows"),
    }),
    *of("pgrobot/wrappers/stacking.py", "deploy/test_memory", {
        "a loaded history goes on through a start": ("torch.where(start, first, past)", "past"),
    }),
)  # fmt: skip

HIERARCHY = (
    *of("pgrobot/policies/hierarchical.py", "exact/test_two_levels", {
        "a goal is drawn a step late": ("due = age.squeeze(-1) == 0.0", "due = age.squeeze(-1) == 1.0"),
        "a goal is kept when its time is over":
            ("torch.where(drawn, self.channel.held(goal, kept), held)", "held"),
        "an episode begins with the goal of the last one":
            ("torch.where(starts, 0.0, held), torch.where(starts, 0.0, age)", "held, age"),
        "the time left goes up": ("torch.remainder(-age, self.every)", "torch.remainder(age, self.every)"),
        "a goal lasts a step longer": ("+ 1.0, self.every)", "+ 1.0, self.every + 1)"),
    }),
    *of("pgrobot/collectors/showing.py", "exact/test_shown_goals", {
        "critics see the goal of the episode before":
            ("rollout.carry, rollout.episode_start)", "rollout.carry, within)"),
        "a successor has the goal of the step before":
            ("rollout.next_obs, after, within)", "rollout.obs, rollout.carry, within)"),
        "a successor has no goal": ("next_obs, after, within)", "next_obs, after, ~within)"),
    }),
    *of("pgrobot/transfer/entries.py", "run/test_transfer", {
        "an origin stays where it was in the other run":
            ("found.setdefault(group, {})[i] = each", "found.setdefault(group, {})[len(found[group])] = each"),
        "entries of the first group are taken for all":
            ("value[[begins[group] + i for", "value[[i for"),
    }),
    *of("pgrobot/policies/levels/goal.py", "exact/test_two_levels", {
        "option 0 is shown as option 1": ("torch.arange(1, self.count)", "torch.arange(self.count - 1)"),
    }),
    *of("pgrobot/distributions/two_level.py", "exact/test_two_levels", {
        "goals that are held have a probability":
            ("low + torch.where(self.switch > 0.0, high, 0.0)", "low + high"),
        "goals have no say": ("low + torch.where(self.switch > 0.0, high, 0.0)", "low + 0.0 * high"),
    }),
    *of("pgrobot/distributions/gated.py", "exact/test_switch", {
        "a switch that is not asked has a probability": ("torch.where(self.due > 0.0, 0.0, x)", "x"),
        "the goal counts as if it were always drawn":
            ("+ self.probability * self.high.entropy()", "+ self.high.entropy()"),
        "a divergence goes by the other's switch":
            ("self.probability * self.high.kl", "other.probability * self.high.kl"),
    }),
    *of("pgrobot/policies/levels/switch.py", ("exact/test_switch", "exact/test_two_levels"), {
        "a switch fires without effect": ("return due | (said > 0.5)", "return due"),
        "a switch does not see the goal": ("self.say(now.obs, now.told,", "self.say(now.obs, now.told * 0.0,"),
    }),
    *of("pgrobot/policies/levels/channel.py", "exact/test_two_levels", {
        "noise is taken for a goal": ("return said.from_noise(drawn)", "return drawn"),
    }),
    *of("pgrobot/frozen.py", ("run/test_hierarchy", "exact/test_prior"), {
        "a frozen normaliser goes on": ("part.held = True", "part.held = False"),
        "what is frozen learns":
            ("register_buffer(name, parameter.detach())", "register_parameter(name, parameter)"),
    }),
)  # fmt: skip

TRANSFER = (
    *of("pgrobot/learner.py", "exact/test_prior", {
        "a warm-up merges the policy's normaliser":
            ("(self.critic,) if self._warming_up else (self.policy, self.critic)", "(self.policy, self.critic)"),
        "a warm-up moves the policy":
            ("self._still if self._warming_up else self.policy_solver", "self.policy_solver"),
        "a warm-up is a step too long": ("self._updates < self._warmup", "self._updates <= self._warmup"),
        "a prior is not resumed": ("self.problem.prior.load_state_dict(state[\"prior\"])", "pass"),
    }),
    *of("pgrobot/solvers/prior.py", "exact/test_prior", {
        "a compiled step sees the prior of before":
            ('self.vector.copy_(state["vector"])', 'self.vector = state["vector"].clone()'),
        "a prior is a view of what moves": ("self.vector = vector.clone()", "self.vector = vector"),
        "a prior sees by the policy's normaliser":
            ("return {**self._parameters.views(self.vector), **self.buffers}",
             "return {**self._parameters.views(self.vector)}"),
    }),
    *of("pgrobot/objectives/prior.py", "exact/test_prior", {
        "the divergence to a prior the other way round":
            ("policy.prior.here().kl(policy.here)", "policy.here.kl(policy.prior.here())"),
        "l2-sp is the whole square": ("-0.5 * policy.prior", "-1.0 * policy.prior"),
        "a weight falls by a share of itself":
            ("self.weight * (1.0 - done / self.updates)", "weight * (1.0 - 1.0 / self.updates)"),
    }),
    *of("pgrobot/transfer/mapping.py", "exact/test_porting", {
        "new inputs have weights": ("taken(old, old.new_zeros(shape),", "taken(old, old.new_ones(shape),"),
        "new outputs have weights":
            ("weight.new_zeros(len(index), weight.shape[1])", "weight.new_ones(len(index), weight.shape[1])"),
        "what is told is taken for what is observed":
            ("torch.where(self.told == NEW, NEW, self.told + self.width)", "self.told"),
        "new statistics count as much as old ones":
            ("taken(counts, torch.zeros(len(index)).to(count), index, 0)", "count.expand(len(index)).clone()"),
    }),
    *of("pgrobot/transfer/entries.py", "exact/test_porting", {
        "an origin is that of another group": ("said.setdefault(name, each)", "said[name] = each"),
    }),
    *of("pgrobot/transfer/porting.py", "exact/test_porting", {
        "a port begins as nobody": ("    ours.begin()\n", ""),
        "rows are taken of one action": ("rows[mine] = old.head.rows()[at]", "rows[mine] = old.head.rows()[0]"),
        "an entry is that of any group": ("torch.where(full == NEW, alone, full)", "alone"),
        "an entry of another group is none": ("torch.where(full == NEW, alone, full)", "full"),
        "what is gone is compared at zero": ("= old.normalizer.offset[gone]", "= 0.0"),
    }),
    *of("pgrobot/transfer/beginning.py", "run/test_initialise", {
        "a policy is loaded without its normaliser":
            ("if not key.startswith(ORIGIN)}\n    check_shapes(refused, \"policy\"",
             "if not key.startswith((ORIGIN, \"normalizer.offset\"))}\n    check_shapes(refused, \"policy\""),
        "a run measures from its own first observation":
            ("policy.origin.adopt(known_origins(theirs.origin.value, source.spec.widths, spec.widths))", "pass"),
    }),
    *of("pgrobot/transfer/columns.py", "run/test_initialise", {
        "columns are taken in another order":
            ("places_of(learner.columns, theirs.columns)", "torch.arange(len(learner.columns))"),
    }),
)  # fmt: skip

REPRESENTATIONS = (
    *of("pgrobot/objectives/forward_dynamics.py", "exact/test_representations", {
        "what is predicted follows the prediction": ("seen(batch.next_obs).detach()", "seen(batch.next_obs)"),
        "a prediction does not know the action": ("batch.action), -1))", "0.0 * batch.action), -1))"),
    }),
    *of("pgrobot/objectives/inverse_dynamics.py", "exact/test_representations", {
        "what was seen after is a constant": ("policy.encode(batch.next_obs)), -1)", "policy.encode(batch.obs)), -1)"),
    }),
    *of("pgrobot/solvers/problem.py", "exact/test_representations", {
        "a prior holds what learns beside the policy":
            ("lambda: own(vector - prior.vector)", "lambda: vector - prior.vector"),
    }),
    *of("pgrobot/posing.py", "exact/test_representations", {
        "everybody's batch holds successors":
            ("dict(rollout.next_obs) if self._reads_successor else {}", "dict(rollout.next_obs)"),
    }),
    *of("pgrobot/policies/network.py", "exact/test_representations", {
        "features are shown before they are projected":
            ("return {name: self.encode(obs) for name in self.shows}",
             "return {name: 0.0 * self.encode(obs) for name in self.shows}"),
    }),
)  # fmt: skip

DIAGNOSTICS = (
    *of("pgrobot/solvers/snapshot.py", "diagnostics/test_snapshot", {
        "a snapshot forgets the normalisers": ("**self.auxiliary}, buffers)", "**self.auxiliary}, {})"),
        "a snapshot takes any reference for its policy":
            ("torch.equal(reference, problem.parameters.vector)", "True"),
    }),
    *of("pgrobot/diagnostics/pull.py", "diagnostics/test_torque", {
        "the gradients of columns change places": ("* self.score.unsqueeze(1)", "* self.score.unsqueeze(1).flip(2)"),
        "entries are not centred": ("(moved - constant.to(mean) * mean) / spread", "moved / spread"),
    }),
    *of("pgrobot/diagnostics/violations.py", "diagnostics/test_violations", {
        "what counts has a size": ("NAMES[:2] if cost in spec.counted else NAMES", "NAMES"),
    }),
)  # fmt: skip

SEEING = (
    *of("pgrobot/diagnostics/torque.py", "diagnostics/test_torque_columns", {
        "costs are compared with the whole": ("((asked[reward] * asked)", "((feedback[-1] * asked)"),
    }),
    *of("pgrobot/diagnostics/torque.py", "diagnostics/test_varied_strength", {
        "all robots are as strong as the model":
            ("actuators.share(rows(measured), own)", "actuators.share(rows(measured))"),
    }),
    *of("pgrobot/simulation/environment.py", "diagnostics/test_varied_strength", {
        "a new episode is as strong as the last": (
            "simulation.batch.reset(ids)\n        self._limits = None", "simulation.batch.reset(ids)"
        ),
    }),
    *of("pgrobot/diagnostics/pull.py", "diagnostics/test_torque_columns", {
        "the push is that of the reward":
            ("self.advantage - self.weight @ self.advantage", "self.columns[:, 0] - self.weight @ self.columns[:, 0]"),
        "padding pulls where there is no place": ("batch.shared(batch.advantage)", "batch.advantage"),
    }),
    *of("pgrobot/diagnostics/sensitivity.py", "diagnostics/test_sensitivity_figures", {
        "what is used is unused": ("float(influence.unused.double()", "float((~influence.unused).double()"),
        "minibatches are of steps": ("rollout.log_prob.shape[1]", "rollout.log_prob.shape[0]"),
    }),
    *of("pgrobot/diagnostics/gait.py", "diagnostics/test_sensitivity_figures", {
        "a gait goes on through a start": ("~episode_start[1:]", "~episode_start[:-1]"),
    }),
    *of("pgrobot/diagnostics/violation_map.py", "diagnostics/test_violation_picture", {
        "bins of violations are steps": ("len(self._steps) * self._width * self._dt)", "len(self._steps) * self._dt)"),
    }),
    *of("pgrobot/health/policy.py", "health/test_sentences", {
        "remedies of both bounds change places":
            ('std_low, AT_LOWER), ("upper", view.facts.std_high, AT_UPPER)',
             'std_low, AT_UPPER), ("upper", view.facts.std_high, AT_LOWER)'),
    }),
    *of("pgrobot/health/record.py", "health/test_sentences", {
        "findings never see the result": ("self._spec, result), self._run)", "self._spec, {}), self._run)"),
    }),
    *of("pgrobot/report/torque.py", "report/test_readable", {
        "an angle that is noise is drawn": ("return ~(errors >= CLEAR)", "return errors < -1.0"),
    }),
    *of("pgrobot/report/odd.py", "report/test_readable", {
        "one huge value flattens a drawing": ("return bound if bound > 0.0 and 0", "return bound if bound < 0.0 and 0"),
    }),
    *of("pgrobot/figures/curves.py", "figures/test_curves", {
        "a running mean fills gaps": ("np.where(known, (sums[high]", "np.where(index >= 0, (sums[high]"),
    }),
    *of("pgrobot/report/torque.py", "report/test_drawings", {
        "an angle is drawn as a gradient": ('_rows(story, f"cosine_{cost}")', '_rows(story, f"gradient_{cost}")'),
    }),
    *of("pgrobot/report/verdicts.py", "report/test_drawings", {
        "bounds change sides": ('for key in ("lower", "mean", "upper"))', 'for key in ("upper", "mean", "lower"))'),
    }),
    *of("pgrobot/figures/curves.py", "report/test_drawings", {
        "what keeps to its budget is shaded": ("plot.axhspan(lowest, high,", "plot.axhspan(low, lowest,"),
    }),
    *of("pgrobot/film/panel.py", "film/test_panel", {
        "a kept budget has a cross": ("if spending.within else", "if not spending.within else"),
        "an effort points the other way": ("centre + round(share * half)", "centre - round(share * half)"),
    }),
    *of("pgrobot/run/execution.py", "run/test_wiring", {
        "trackers know of no finding": ("findings=lambda: health.findings,\n    )", "findings=tuple,\n    )"),
    }),
)  # fmt: skip

CURIOSITY = (
    *of("pgrobot/intrinsic/scale.py", "intrinsic/test_bonuses", {
        "a bonus is filtered backwards":
            ("reverse_scan(term.flip(0), before.flip(0)).flip(0)[1:]", "reverse_scan(term, before)[1:]"),
        "a filter goes on over an end": ("decay * ~rollout.done", "decay * torch.ones_like(rollout.done)"),
        "a filter forgets the last rollout": ("found[-1] * decay[-1]", "0.0 * found[-1]"),
        "a bonus is filtered through padding": ("decay = torch.where(counts, decay, 1.0)", "decay = 1.0 * decay"),
    }),
    *of("pgrobot/intrinsic/bonus.py", "intrinsic/test_bonuses", {
        "a weight falls with decisions": ("int((rollout.by_step.weight > 0.0).sum())", "rollout.log_prob.numel()"),
        "who only looks on has a column": ("return self.weight > 0.0", "return self.weight >= 0.0"),
        "a bonus pays for padding":
            ("torch.where(rollout.weight > 0.0, self.novelty(rollout), 0.0)", "self.novelty(rollout)"),
    }),
    *of("pgrobot/intrinsic/learning.py", "intrinsic/test_bonuses", {
        "a bonus whitens by where steps began": ("(self._reads(rollout.next_obs)[", "(self._reads(rollout.obs)["),
        "a bonus learns from padding": ("value[counts] for name, value in self._read",
                                        "value.flatten(0, 1) for name, value in self._read"),
        "a bonus learns from all rows": ("round(self.share * count)", "count"),
        "a bonus forgets its stream": ('self.generator.set_state(state["generator"])', "pass"),
    }),
    *of("pgrobot/intrinsic/rnd.py", "intrinsic/test_bonuses", {
        "a random network learns": ("target.requires_grad_(requires_grad=False)", "target"),
        "novelty is of the next row": ('self.seen(rollout)["next"])', 'self.seen(rollout)["next"].roll(1, 0))'),
    }),
    *of("pgrobot/intrinsic/icm.py", "intrinsic/test_bonuses", {
        "features become easy to foresee": ("following.detach()).mean()", "following).mean()"),
    }),
    *of("pgrobot/intrinsic/actions.py", "intrinsic/test_bonuses", {
        "an action is read as it was drawn": (".clamp(self._low, self._high)", ""),
    }),
    *of("pgrobot/intrinsic/discriminator.py", "intrinsic/test_discriminator", {
        "the policy is taken for what was shown":
            ("softplus(-self.logit(shown)).mean()", "softplus(self.logit(shown)).mean()"),
        "a penalty has no gradient": ("create_graph=True)", "create_graph=False)"),
        "a penalty is not halved": ("0.5 * slope.square()", "slope.square()"),
        "the first rows that were shown are all": ("torch.randperm(total, generator=self.generator)[:count]",
                                                   "torch.arange(total)[:count]"),
        "whitened by what was done alone": ('self._whitening.merge(self.shown["next_obs"])', "pass"),
        "other demonstrations are taken": ("if source.sha256 != was", "if False"),
        "a discriminator pays for what it knows to be the policy's": ("softplus(logit) if", "softplus(-logit) if"),
    }),
    *of("pgrobot/intrinsic/counts.py", "intrinsic/test_bonuses", {
        "a rollout's own visits count as one": ("self.visits(cells) + now[which]", "self.visits(cells) + 1"),
        "padding is a visit": ("which[counts].flatten()", "which.flatten()"),
        "cells move": ("if self._whitening.moments.count > 0:", "if False:"),
        "cells are where padding puts them": ("rollout.next_obs)[rollout.weight > 0.0])\n        return first",
                                              "rollout.next_obs).flatten(0, 1))\n        return first"),
    }),
    *of("pgrobot/posing.py", "intrinsic/test_bonuses", {
        "all bonuses have one discount": ("own.get(name, discounts", "discounts.get(name, discounts"),
    }),
    *of("pgrobot/answers.py", "intrinsic/test_bonuses", {
        "a bonus may be no number": ("_check_paid(part, found.reward[..., -1])", "pass"),
    }),
    *of("envs/sparse_runners.py", "robots/test_sparse", {
        "a metre is paid again": (":1]), simulation.memory", ":1]), 0.0 * simulation.memory"),
        "a cheetah is paid a step late": ("simulation.after[:, 0] >", "simulation.before[:, 0] >"),
    }),
    *of("pgrobot/wrappers/reward_weight.py", "robots/test_sparse", {
        "a policy is judged on the weighed reward": ("weight if training else 1.0", "weight"),
    }),
)  # fmt: skip

DEMONSTRATIONS = (
    *of("pgrobot/objectives/demonstration.py", "demonstrations/test_dapg", {
        "demonstrations weigh their mean, not their sum over the rollout": ("self._share * mean, {", "mean, {"),
        "λ1 is not applied": ("return weight * self._decay", "return weight"),
        "the rows of an update count for themselves":
            ("len(found) / context.rows", "(self._rows or len(found)) / context.rows"),
        "an update's rows depend on no update": ('f"demonstrations/{update}"', '"demonstrations"'),
    }),
    *of("pgrobot/objectives/imitation.py", "demonstrations/test_dapg", {
        "self-imitation holds what went worse against the policy": (".clamp(min=0.0)", ".clamp(min=-1e9)"),
    }),
    *of("pgrobot/demonstrations/learnt.py", "demonstrations/test_reading", {
        "actions stay in the units of the space": (" / to_environment.unit", " / 1.0"),
        "a range has no centre": ("(demonstrations.action.numpy() - to_environment.centre)",
                                  "demonstrations.action.numpy()"),
        "what followed is what was": ("name, demonstrations.next_obs[name]", "name, demonstrations.obs[name]"),
    }),
    *of("pgrobot/demonstrations/recorder.py", "demonstrations/test_recorder", {
        "what is recorded goes on changing": ("value.copy() for name, value in obs", "value for name, value in obs"),
        "the steps before a simulation broke are shown": ("whole = ~_anywhere(broken, start)", "whole = ~broken"),
        "who fell as the time was up has a future": ('kept["truncated"] & ~kept["terminated"]', 'kept["truncated"]'),
    }),
    *of("pgrobot/demonstrations/arrays.py", "demonstrations/test_reading", {
        "an end of two kinds has a future":
            ('_flag(path, found, "truncations") & ~_flag(path, found, "terminations")',
             '_flag(path, found, "truncations")'),
    }),
    *of("pgrobot/demonstrations/minari.py", "demonstrations/test_reading", {
        "an episode whose recording was cut goes on into the next": ("    truncated[-1] = not terminated[-1]\n", ""),
    }),
    *of("pgrobot/demonstrations/file.py", "demonstrations/test_reading", {
        "a changed file is believed": ("if not whole:", "if False:"),
    }),
    *of("pgrobot/collectors/demonstrations.py", "demonstrations/test_cloning", {
        "who remembers begins anew in every rollout": ("        self.carry = carries[-1]\n", ""),
        "an episode is dealt twice in a pass": ("self._deck.pop()", "self._deck[-1]"),
        "a successor is as old as its step": ("for i in (0.0, 1.0))", "for i in (0.0, 0.0))"),
        "a column that pays once forgets": ("paid[t] = self._cost_columns.paid", "paid[t] = False"),
    }),
    *of("pgrobot/collectors/manager_worker.py", "exact/test_following", {
        "the goal that follows is in the entries' units":
            ("wished(goals.sample(self._generator)) / policy.manager.unit\n        for",
             "wished(goals.sample(self._generator))\n        for"),
    }),
    *of("pgrobot/collectors/demonstrations.py", "exact/test_following", {
        "what follows is as old as its successor": ("age[after].view(1", "(age[after] + 1).view(1"),
    }),
    *of("pgrobot/schemes/clone.py", "demonstrations/test_cloning", {
        "a short episode that is held out counts as a long one":
            ("float(torch.cat(found).mean())", "float(torch.stack([x.mean() for x in found]).mean())"),
        "the last policy is kept, not the best": ("self.policy.load_state_dict(self._best)", "pass"),
        "patience is not reset": ("self._best = loss, 0, own", "self._best = loss, self._since, own"),
        "patience runs out while the policy may not learn": ("+= 0 if waiting else", "+= 0 if False else"),
        "a clone of another run forgets what that saw": ("if not parts.initialisation.takes(name):", "if True:"),
    }),
    *of("pgrobot/run/request.py", "run/test_resume", {
        "modules of who resumes are forgotten": ('if key in ("resume", "modules") or', 'if key == "resume" or'),
    }),
    *of("pgrobot/run/without_effect.py", "run/test_without_effect", {
        "what does nothing is taken": ("isinstance(mark, OnlyWhere) and _given(", "False and _given("),
        "what nobody typed is refused": ("key in node and not OmegaConf", "key in node or not OmegaConf"),
    }),
)  # fmt: skip

MUTANTS: tuple[Mutant, ...] = (
    *ESTIMATORS, *BASELINES, *OBJECTIVES, *DISTRIBUTIONS, *NORMALISERS,
    *SOLVERS, *PAST, *LEARNER, *COLLECTORS, *LEVELS, *CONSTRAINTS, *STATE, *DEPLOYED, *DRONES, *MAZES, *MEMORY,
    *HIERARCHY, *REPRESENTATIONS, *TRANSFER, *DIAGNOSTICS, *SEEING, *CURIOSITY, *DEMONSTRATIONS,
)  # fmt: skip


def main() -> None:
    """Try the mutants that were asked for.

    Raises:
        SystemExit: one was not killed, or tests fail without any.
    """
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", type=int, default=1, help="how many to try at once")
    parser.add_argument("--control", action="store_true", help="run their tests on the sources as they are")
    parser.add_argument("part", nargs="*", help="only those with this in their name, file or tests")
    asked = parser.parse_args()
    chosen = selected(asked.part)
    trials: dict[str, Callable[[], Trial]]
    if asked.control:
        trials = {" ".join(tests): partial(untouched, tests) for tests in sorted({m.tests for m in chosen})}
    else:
        trials = {mutant.name: partial(tried, mutant) for mutant in chosen}
    missed = show(trials, "passed" if asked.control else "killed", asked.jobs)
    raise SystemExit(missed > 0)


def selected(parts: Sequence[str]) -> list[Mutant]:
    """The mutants with one of the parts in their name, their file or that of their tests; all without any.

    Raises:
        SystemExit: there is none with a part.
    """
    for part in parts:
        if not any(_has(mutant, part) for mutant in MUTANTS):
            raise SystemExit(
                f"no mutant has {part!r} in its name, file or tests: {nearest(part, [m.name for m in MUTANTS])}"
            )
    return [m for m in MUTANTS if not parts or any(_has(m, part) for part in parts)]


def _has(mutant: Mutant, part: str) -> bool:
    return any(part in words for words in (mutant.name, mutant.file, *mutant.tests))


def show(trials: Mapping[str, Callable[[], Trial]], wanted: str, jobs: int) -> int:
    """Run trials, tell each as it ends, and count those that ended otherwise than wanted."""
    missed, seconds = [], 0.0
    with ThreadPoolExecutor(jobs) as pool:
        for name, trial in zip(trials, pool.map(lambda run: run(), trials.values()), strict=True):
            seconds += trial.seconds
            verdict = "SURVIVED" if trial.verdict == "passed" != wanted else trial.verdict
            row = name, trial.seconds, verdict, trial.told
            line = "{:<55} {:>5.1f} s  {}  {}".format(*row)
            CONSOLE.print(line, markup=False, highlight=False, soft_wrap=True)
            if trial.verdict != wanted:
                missed.append(row)
    if missed:
        table = Table("otherwise", "s", "verdict", "why", box=None)
        for name, spent, verdict, told in missed:
            table.add_row(name, f"{spent:.1f}", verdict, told, style="bold red")
        CONSOLE.print(table)
    CONSOLE.print(f"{len(trials) - len(missed)} of {len(trials)} {wanted}, {seconds:.0f} s")
    return len(missed)


if __name__ == "__main__":
    main()
