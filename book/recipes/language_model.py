"""A small language model from scratch, and then LoRA: English, by characters.

The model learns from the docstrings of scikit-learn. LoRA then carries it over to those
of SciPy: its thin matrices take a rate several times larger than all weights would.
"""

import torch
from torch.nn import functional as F

from lrcourse import Linear, warmup
from lrcourse.data import text
from lrcourse.data.text import ALPHABET
from lrcourse.torch import GPT, ScheduleLR, add_lora, parameter_groups, range_test

BATCH, CLIP = 16, 1.0
BETAS = (0.9, 0.95)  # the second of 0.95 forgets a large gradient after 20 updates
UNTESTED = 1e-2  # the rate where a range test says nothing
LORA, ALL_WEIGHTS = 1e-2, 1e-3  # rates of fine-tuning
LAYERS = "query|value|hidden|output"  # in whose place LoRA goes


def tensors(package, seed, n=None, tested=300):
    """Windows of 32 characters, `n` to train on, and the character after each."""
    data, order = text(context=32, package=package), torch.Generator().manual_seed(seed)
    parts = (data.x_train, data.y_train, data.x_test, data.y_test)
    x, y, x_test, y_test = map(torch.tensor, parts)
    train = torch.randperm(len(x), generator=order)[:n]
    return (
        x[train],
        y[train],
        x_test[:: len(x_test) // tested],
        y_test[:: len(x_test) // tested],
    )


def loss_of(scores, y):
    return F.cross_entropy(scores.flatten(0, 1), y.flatten())


def batches(x, y, seed):
    order = torch.Generator().manual_seed(seed)
    while True:
        chosen = torch.randint(len(x), (BATCH,), generator=order)
        yield x[chosen], y[chosen]


def optimizer_of(model, lr=UNTESTED):
    # Weight decay on matrices only: norms and biases are exempt.
    return torch.optim.AdamW(
        parameter_groups(model, lr=lr, weight_decay=0.1), betas=BETAS
    )


def schedule_of(lr, steps):
    warm = max(1, steps // 20)
    down = Linear(start=lr, end=0.0, steps=max(1, steps - warm))
    return warmup(down, steps=warm, start=lr / warm)


def fit(model, optimizer, schedule, source, steps, clip=CLIP):
    scheduler = ScheduleLR(optimizer, schedule)
    trained = [each for each in model.parameters() if each.requires_grad]
    for _ in range(steps):
        x, y = next(source)
        loss = loss_of(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, clip)
        optimizer.step()
        scheduler.step()


@torch.no_grad()
def test_loss(model, x, y):
    return loss_of(model(x), y).item()


def from_scratch(seed=0, steps=300):
    x, y, x_test, y_test = tensors("scikit-learn", seed)
    torch.manual_seed(seed)
    model = GPT(len(ALPHABET))
    test = range_test(
        model,
        optimizer_of(model),
        loss_of,
        batches(x, y, seed + 1),
        start=1e-5,
        end=1.0,
    )
    lowest = test.suggest("minimum")
    lr = lowest / 2 if lowest else UNTESTED
    schedule = schedule_of(lr, steps)
    fit(model, optimizer_of(model), schedule, batches(x, y, seed), steps)
    return model, lr, test_loss(model, x_test, y_test)


def lora(model, data, seed=0, steps=100, lr=LORA):
    x, y, x_test, y_test = data
    torch.manual_seed(seed)
    optimizer = torch.optim.AdamW(add_lora(model, rank=4, names=LAYERS), betas=BETAS)
    fit(model, optimizer, schedule_of(lr, steps), batches(x, y, seed), steps)
    return test_loss(model, x_test, y_test)


def main(seed=0, steps=300, lora_steps=100):
    model, lr, loss = from_scratch(seed, steps)
    print(f"from scratch: rate {lr:.2g} from the range test; test loss {loss:.3f}")
    scipy = tensors("scipy", seed, n=1000)
    before = test_loss(model, *scipy[2:])
    after = lora(model, scipy, seed, lora_steps)
    print(f"LoRA: rate {LORA:.2g}; test loss on SciPy from {before:.3f} to {after:.3f}")
    return loss, after


if __name__ == "__main__":
    main()
