"""Optuna asks, a sweep answers: what the study keeps is what plain training gives."""

import numpy as np
import optuna
import pytest
import torch

from lrcourse.data import linear_regression, moons
from lrcourse.sweep import Setting, sweep, tuner
from lrcourse.sweep.tuner import tune
from lrcourse.torch import LogicNet

optuna.logging.set_verbosity(optuna.logging.WARNING)
LINE = linear_regression(n=30, n_test=10)


def net():
    return LogicNet().double()


def line():
    return torch.nn.Linear(1, 1).double()


def suggest(trial):
    return {"lr": trial.suggest_float("lr", 1e-3, 1.0, log=True), "seed": trial.suggest_int("seed", 0, 3)}


def test_the_study_keeps_what_the_loop_would_give(tmp_path):
    data = moons(n=30, n_test=20)
    storage = f"sqlite:///{tmp_path}/study.db"
    for _ in range(2):  # the second call goes on from what the first one stored
        study = optuna.create_study(storage=storage, study_name="moons", direction="maximize", load_if_exists=True,
                                    sampler=optuna.samplers.RandomSampler(seed=1))  # fmt: skip
        tune(study, suggest, net, data, trials=5, together=3, value="test_accuracy", steps=8, engine="stacked",
             progress=False)  # fmt: skip
    stored = optuna.load_study(study_name="moons", storage=storage).trials
    assert len(stored) == 10
    settings = [Setting(**trial.params) for trial in stored]
    alone = sweep(net, data, settings=settings, steps=8, engine="loop", progress=False)
    np.testing.assert_allclose([float(trial.value or 0) for trial in stored], alone.outcome.test_accuracy.tolist())


def test_a_member_that_diverges_is_a_failed_trial():
    study = optuna.create_study()
    for lr in (0.1, 1e6):
        study.enqueue_trial({"lr": lr})
    tune(study, lambda trial: {"lr": trial.suggest_float("lr", 0.1, 1e6)}, line, LINE,
         trials=2, together=2, steps=80, loss="mse", progress=False)  # fmt: skip
    states = {trial.params["lr"]: trial for trial in study.trials}
    assert states[0.1].state == optuna.trial.TrialState.COMPLETE
    assert states[1e6].state == optuna.trial.TrialState.FAIL and states[1e6].user_attrs["diverged"] > 0


@pytest.mark.parametrize("counts", [{"trials": 0}, {"trials": 2, "together": 0}])
def test_counts_are_checked(counts):
    with pytest.raises(ValueError, match="must be a whole number, at least 1"):
        tune(optuna.create_study(), suggest, net, LINE, steps=1, **counts)


@pytest.mark.parametrize("stopped", [KeyboardInterrupt, ValueError])
def test_a_round_that_is_stopped_leaves_no_trial_at_work(tmp_path, monkeypatch, stopped):
    def stop(*given, **options):
        raise stopped

    storage = f"sqlite:///{tmp_path}/study.db"
    study = optuna.create_study(storage=storage, study_name="stopped")
    tune(study, suggest, net, moons(n=30), trials=2, together=2, steps=2, progress=False)
    monkeypatch.setattr(tuner, "sweep", stop)
    with pytest.raises(stopped):
        tune(study, suggest, net, moons(n=30), trials=4, together=4, steps=2, progress=False)
    states = [trial.state.name for trial in optuna.load_study(study_name="stopped", storage=storage).trials]
    assert states == ["COMPLETE"] * 2 + ["FAIL"] * 4


@pytest.mark.parametrize("bad, message", [
    ({"value": "colour"}, "value must be one of"), ({"value": "test_loss"}, "value must be one of"),
    ({"folder": "kept"}, "folder must be left out"),
    ({"value": "test_accuracy", "data": moons(n=30)}, "study must be MAXIMIZE for an accuracy"),
])  # fmt: skip
def test_what_could_not_be_told_is_not_trained(monkeypatch, bad, message):
    monkeypatch.setattr(tuner, "sweep", None)
    study = optuna.create_study()
    given = {"model_fn": net, "data": (moons(n=30).x_train, moons(n=30).y_train), "trials": 2, "steps": 2, **bad}
    with pytest.raises(ValueError, match=message):
        tune(study, suggest, **given)
    assert not study.trials
