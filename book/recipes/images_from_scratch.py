"""A residual network from scratch: small pictures of handwriting, 500 with labels.

The rate comes from a range test of the optimizer that trains. The schedule warms up,
then goes down to zero in a line.
"""

import torch
from torch.nn import functional as F

from lrcourse import Linear, warmup
from lrcourse.data import handwriting
from lrcourse.torch import ResNet, ScheduleLR, parameter_groups, range_test

BATCH = 32
UNTESTED = 3e-3  # the rate where a range test says nothing


def tensors(seed):
    data = handwriting(labels=500, seed=seed)
    x, y = torch.tensor(data.x_train), torch.tensor(data.y_train)
    return x, y, torch.tensor(data.x_test), torch.tensor(data.y_test)


def network(seed):
    torch.manual_seed(seed)
    return ResNet(depth=8, width=8)


def batches(x, y, seed):
    """Mini-batches without end, in a new order each epoch."""
    order = torch.Generator().manual_seed(seed)
    while True:
        for chosen in torch.randperm(len(x), generator=order).split(BATCH):
            yield x[chosen], y[chosen]


def optimizer_of(model, lr=UNTESTED):
    # Weight decay on matrices and filters only: norms and biases are exempt.
    return torch.optim.AdamW(parameter_groups(model, lr=lr, weight_decay=0.05))


def tested_rate(model, optimizer, source):
    """Half of the rate at which the loss of a range test is lowest."""
    test = range_test(
        model, optimizer, F.cross_entropy, source, start=1e-5, end=1.0, steps=100
    )
    lowest = test.suggest("minimum")
    return lowest / 2 if lowest else UNTESTED


def schedule_of(lr, steps):
    warm = max(1, steps // 20)
    down = Linear(start=lr, end=0.0, steps=max(1, steps - warm))
    return warmup(down, steps=warm, start=lr / warm)


def fit(model, optimizer, schedule, source, steps):
    scheduler = ScheduleLR(optimizer, schedule)
    model.train()
    for _ in range(steps):
        x, y = next(source)
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()


@torch.no_grad()
def accuracy(model, x, y):
    model.eval()
    return (model(x).argmax(1) == y).double().mean().item()


def main(seed=0, steps=200):
    x, y, x_test, y_test = tensors(seed)
    model = network(seed)
    lr = tested_rate(model, optimizer_of(model), batches(x, y, seed + 1))
    fit(model, optimizer_of(model), schedule_of(lr, steps), batches(x, y, seed), steps)
    found = accuracy(model, x_test, y_test)
    print(f"rate {lr:.2g} from the range test; test accuracy {found:.3f}")
    return found


if __name__ == "__main__":
    main()
