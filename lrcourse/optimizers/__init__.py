"""Optimizers from scratch, in NumPy: what PyTorch, Keras and the papers compute, and where they disagree.

    optimizer = Adam(lr=0.1, convention="torch")      lr is a number or a schedule
    params = optimizer.step(params, grads)            an array, or a dict of arrays; the arguments stay as they are

A good order to read the files: base, sgd, adagrad, rmsprop, adadelta, adam, adamw, amsgrad, nadam, lion,
schedule_free, muon.
"""

from .adadelta import Adadelta
from .adagrad import Adagrad
from .adam import Adam
from .adamw import AdamW
from .amsgrad import AMSGrad
from .base import Optimizer
from .lion import Lion
from .muon import Muon, orthogonalize
from .nadam import NAdam
from .rmsprop import RMSprop
from .schedule_free import ScheduleFreeSGD
from .sgd import SGD

__all__ = [
    "SGD", "AMSGrad", "Adadelta", "Adagrad", "Adam", "AdamW", "Lion", "Muon", "NAdam", "Optimizer", "RMSprop",
    "ScheduleFreeSGD", "orthogonalize",
]  # fmt: skip
