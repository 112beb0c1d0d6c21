"""A table of 20,190 rows: how often people see a doctor, from insurance and health.

Much noise and few features: little of what one can tune matters here.
"""

import torch
from torch.nn import functional as F

from lrcourse import Linear, warmup
from lrcourse.data import health
from lrcourse.torch import MLP, ScheduleLR, parameter_groups, range_test

BATCH = 128
UNTESTED = 3e-3  # the rate where a range test says nothing
DECAY = 1.0


def tensors(seed):
    data = health(seed=seed)  # features with mean 0 and deviation 1
    parts = (data.x_train, data.y_train, data.x_test, data.y_test)
    return [torch.tensor(each).float() for each in parts]


def network(seed):
    torch.manual_seed(seed)
    return MLP([9, 64, 64, 1])


def batches(x, y, seed):
    """Mini-batches without end, in a new order each epoch."""
    order = torch.Generator().manual_seed(seed)
    while True:
        for chosen in torch.randperm(len(x), generator=order).split(BATCH):
            yield x[chosen], y[chosen]


def optimizer_of(model, lr=UNTESTED):
    return torch.optim.AdamW(parameter_groups(model, lr=lr, weight_decay=DECAY))


def tested_rate(model, optimizer, source):
    """Half of the rate at which the loss of a range test is lowest."""
    test = range_test(
        model, optimizer, F.mse_loss, source, start=1e-5, end=1.0, steps=200
    )
    lowest = test.suggest("minimum")
    return lowest / 2 if lowest else UNTESTED


def schedule_of(lr, steps):
    warm = max(1, steps // 20)
    down = Linear(start=lr, end=0.0, steps=max(1, steps - warm))
    return warmup(down, steps=warm, start=lr / warm)


def fit(model, optimizer, schedule, source, steps):
    scheduler = ScheduleLR(optimizer, schedule)
    for _ in range(steps):
        x, y = next(source)
        loss = F.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()


@torch.no_grad()
def test_loss(model, x, y):
    return F.mse_loss(model(x), y).item()


def main(seed=0, steps=600):
    x, y, x_test, y_test = tensors(seed)
    model = network(seed)
    lr = tested_rate(model, optimizer_of(model), batches(x, y, seed + 1))
    fit(model, optimizer_of(model), schedule_of(lr, steps), batches(x, y, seed), steps)
    found = test_loss(model, x_test, y_test)
    mean = F.mse_loss(y.mean().expand_as(y_test), y_test)
    print(f"rate {lr:.2g} from the range test; test loss {found:.4f}")
    print(f"whoever predicts the mean has {mean:.4f}")
    return found


if __name__ == "__main__":
    main()
