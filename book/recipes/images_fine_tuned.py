"""Fine-tune a network for pictures: from printed characters to handwritten digits.

There are 100 labels. The new head learns at the rate that you would take from scratch.
Nobody knows the body's rate: it depends on how alike old and new pictures are. So five
runs search for it, on a part of the labels, and the sixth trains on all of them. One
schedule moves both groups of parameters and keeps their ratio.
"""

import copy

import torch
from torch.nn import functional as F

from lrcourse import Linear, warmup
from lrcourse.data import glyphs, handwriting
from lrcourse.torch import ResNet, ScheduleLR

SIZE, BATCH = 12, 16  # pixels a side; pictures
FROM_SCRATCH = 1e-2  # the rate that trains this network from scratch
FACTORS = (0.01, 0.03, 0.1, 0.3, 1.0)  # of it, for the body


def schedule_of(lr, steps):
    warm = max(1, steps // 10)
    down = Linear(start=lr, end=0.0, steps=max(1, steps - warm))
    return warmup(down, steps=warm, start=lr / warm)


def fit(model, optimizer, schedule, x, y, steps, seed):
    order = torch.Generator().manual_seed(seed)
    scheduler = ScheduleLR(
        optimizer, schedule, relative=True
    )  # groups keep their ratio
    model.train()
    for _ in range(steps):
        chosen = torch.randint(len(x), (BATCH,), generator=order)
        loss = F.cross_entropy(model(x[chosen]), y[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()


def pretrained(seed=0, steps=800):
    """What somebody has trained before: on 2,000 printed characters, ten classes."""
    data = glyphs(n=2000, size=SIZE, seed=seed, n_test=1)
    torch.manual_seed(seed)
    model = ResNet(depth=8, width=8)
    optimizer = torch.optim.AdamW(model.parameters(), lr=FROM_SCRATCH)
    x, y = torch.tensor(data.x_train), torch.tensor(data.y_train)
    fit(model, optimizer, schedule_of(FROM_SCRATCH, steps), x, y, steps, seed)
    return model


def tensors(seed, n_test=800):
    """Handwriting, 8 pixels a side, in the frame that printed characters have."""
    data = handwriting(labels=100, seed=seed)
    x, x_test = (
        F.pad(torch.tensor(each), (2,) * 4) for each in (data.x_train, data.x_test)
    )
    return (
        x,
        torch.tensor(data.y_train),
        x_test[:n_test],
        torch.tensor(data.y_test[:n_test]),
    )


def with_new_head(model, seed):
    torch.manual_seed(seed)
    torch.nn.init.normal_(model[-1].weight, std=0.01)
    torch.nn.init.zeros_(model[-1].bias)
    return model


def optimizer_of(model, body_lr, head_lr=FROM_SCRATCH):
    body = [each for layer in list(model)[:-1] for each in layer.parameters()]
    groups = [
        {"params": body, "lr": body_lr},
        {"params": model[-1].parameters(), "lr": head_lr},
    ]
    return torch.optim.AdamW(groups, weight_decay=0.01)


@torch.no_grad()
def tested(model, x, y):
    """The loss and the accuracy."""
    model.eval()
    scores = model(x)
    return F.cross_entropy(scores, y).item(), (
        scores.argmax(1) == y
    ).double().mean().item()


def tuned(model, x, y, body_lr, steps, seed):
    """A copy of the model, fine-tuned."""
    model = with_new_head(copy.deepcopy(model), seed)
    schedule = schedule_of(FROM_SCRATCH, steps)
    fit(model, optimizer_of(model, body_lr), schedule, x, y, steps, seed)
    return model


def searched(model, x, y, steps, seed):
    """The body's rate with the lowest loss on two fifths of the labels, held out."""
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
    held, kept = order[: 2 * len(x) // 5], order[2 * len(x) // 5 :]
    losses = {}
    for lr in (FROM_SCRATCH * factor for factor in FACTORS):
        trial = tuned(model, x[kept], y[kept], lr, steps, seed)
        losses[lr], _ = tested(trial, x[held], y[held])
        print(f"body at {lr:.1e}: loss {losses[lr]:.2f} on the labels held out")
    return min(losses, key=lambda lr: losses[lr])


def main(seed=0, steps=120, pretraining=800):
    x, y, x_test, y_test = tensors(seed)
    model = pretrained(seed, pretraining)
    lr = searched(model, x, y, steps, seed)
    _, accuracy = tested(tuned(model, x, y, lr, steps, seed), x_test, y_test)
    print(f"body at {lr:.1e}, head at {FROM_SCRATCH:.1e}: test accuracy {accuracy:.3f}")
    return accuracy


if __name__ == "__main__":
    main()
