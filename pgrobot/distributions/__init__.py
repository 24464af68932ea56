"""Action distributions: frozen dataclasses of tensors, so they are sliced, stored and compared like a batch.

A distribution is never hidden state of a module: a policy returns one, a batch keeps the one that acted. All are
registered pytrees, draw from the generator they are given, and have a KL divergence that is twice differentiable in
the tensors of both arguments.

| distribution | entropy | KL | mean and std |
|---|---|---|---|
| `Gaussian`, `FullCovarianceGaussian`, `SmoothGaussian` | closed | closed | closed |
| `SquashedGaussian` | fixed quadrature | closed | fixed quadrature |
| `Beta`, `Categorical`, `Binned`, `MultiCategorical` | closed | closed | closed |
| `TwoLevel` | the sum of its levels' | likewise | side by side |
| `Gated` | that of the switch, and as often as it fires that of the goal | likewise | closed |
"""

from pgrobot.distributions.beta import Beta
from pgrobot.distributions.binned import Binned
from pgrobot.distributions.categorical import Categorical
from pgrobot.distributions.distribution import Distribution, Drawable, Located, Pathwise
from pgrobot.distributions.full_covariance import FullCovarianceGaussian
from pgrobot.distributions.gated import Gated
from pgrobot.distributions.gaussian import Gaussian
from pgrobot.distributions.multi_categorical import MultiCategorical
from pgrobot.distributions.smooth import SmoothGaussian
from pgrobot.distributions.squashed import SquashedGaussian
from pgrobot.distributions.two_level import TwoLevel

__all__ = [
    "Beta",
    "Binned",
    "Categorical",
    "Distribution",
    "Drawable",
    "FullCovarianceGaussian",
    "Gated",
    "Gaussian",
    "Located",
    "MultiCategorical",
    "Pathwise",
    "SmoothGaussian",
    "SquashedGaussian",
    "TwoLevel",
]
