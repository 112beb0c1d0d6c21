"""How often people see a doctor: a table of 20,190 rows."""

import warnings

import numpy as np

from ..extras import extra
from ..validation import choice, fraction, random_seed
from .dataset import Dataset

VISITS = "mdvis"


def health(target: str = "visits", seed: int = 0, test_size: float = 0.3) -> Dataset:
    r"""Visits to a doctor in a year, from a person's insurance and health: 20,190 rows, 9 features.

    The RAND health insurance experiment, which drew by lot how much of the costs people pay themselves. `target`:
    `"visits"`, to predict $\ln(1 + \text{visits})$, float64, shape `(n, 1)`; or `"any"`, whether there was a visit at
    all (1) or none (0), int64, shape `(n,)`. `x_*`: shape `(n, 9)`, each feature with mean 0 and deviation 1 on the
    training part: coinsurance, deductible plan, incentive payment, maximal expenditure, physical limitation, chronic
    diseases, and health rated as good, fair or poor. `test_size`: share of the people kept for the test; `seed` decides
    who.

    The table follows people over several years and does not say which rows are one person's. Rows that are alike in
    all features are therefore kept together, either for training or for the test.

    Raises: `ValueError` for another target, a share outside (0, 1).
    Source: statsmodels' `randhie`; Manning et al., "Health insurance and the demand for medical care", 1987.

    >>> health().x_train.shape
    (13986, 9)
    """
    with extra("data"):
        from sklearn.model_selection import GroupShuffleSplit
        from statsmodels.datasets import randhie

    target = choice("visits", "any")("target", target)
    seed, test_size = random_seed("seed", seed), fraction("use for example 0.3 for 30 %")("test_size", test_size)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # what statsmodels asks of pandas will change
        table = randhie.load_pandas().data
    visits, x = table[VISITS].to_numpy(), table.drop(columns=VISITS).to_numpy(dtype=np.float64)
    y = np.log1p(visits)[:, None] if target == "visits" else (visits > 0).astype(np.int64)
    alike = np.unique(x, axis=0, return_inverse=True)[1]
    train, test = next(GroupShuffleSplit(1, test_size=test_size, random_state=seed).split(x, groups=alike))
    x = (x - x[train].mean(0)) / x[train].std(0)
    license = "public domain (RAND, through statsmodels)"
    return Dataset("RAND health insurance", license, x[train], y[train], x[test], y[test])
