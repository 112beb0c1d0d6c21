"""Two optimizers for one model: Muon for the matrices inside, AdamW for everything else."""

from torch import nn

from ..validation import bad, not_negative, rate
from .groups import Group
from .named_parameters import Named, examples, named_parameters, pattern_of


def muon_groups(
    model: nn.Module,
    lr: float,
    others_lr: float,
    weight_decay: float = 0.0,
    *,
    outside: str | None,
) -> tuple[list[Group], list[Group]]:
    """The parameters of `model` that train: for `torch.optim.Muon` the hidden matrices, for AdamW everything else.

    Hidden is what has two dimensions and is neither an embedding nor found by `outside`, a regular expression for
    the names of the first and the last layer, which Muon is not made for: `outside="head"`. Write None where there is
    none but embeddings, to which a head may be tied. Filters of a convolution are with everything else, as
    `torch.optim.Muon` takes matrices only.

    `lr`: Muon's rate; `others_lr`: AdamW's, the same with `adjust_lr_fn="match_rms_adamw"`. `weight_decay`: that of
    both, but for norms, biases and what else has fewer than two dimensions. Each optimizer has a scheduler of its own.

    Raises: `ValueError` for a model without hidden matrices, `outside` that is found in no name, a negative number.
    Source: Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024.

    >>> import torch
    >>> from lrcourse.torch import GPT
    >>> hidden, others = muon_groups(GPT(50, tied=False), lr=0.02, others_lr=1e-3, weight_decay=0.1, outside="^head")
    >>> muon, adamw = torch.optim.Muon(hidden), torch.optim.AdamW(others)
    >>> [(group["name"], group["lr"], len(group["params"])) for group in muon.param_groups + adamw.param_groups]
    [('hidden', 0.02, 6), ('others', 0.001, 3), ('others, no decay', 0.001, 6)]
    """
    lr, others_lr = rate("lr", lr), rate("others_lr", others_lr)
    decay = not_negative("use for example 0.1")("weight_decay", weight_decay)
    training = [each for each in named_parameters(model) if each.trains]
    if outside is not None and not any(each.is_found(pattern_of("outside", outside)) for each in training):
        must = "found in the name of a parameter that trains"
        raise bad("outside", outside, must, f"choose among {examples(training)}, or write None")
    hidden = [each for each in training if _is_hidden(each, outside)]
    others = [each for each in training if not _is_hidden(each, outside)]
    if not hidden:
        raise bad("model", type(model).__name__, "one with hidden matrices", "use AdamW for all of it")
    sorted_out = {
        "others": ([each for each in others if not each.is_vector], decay),
        "others, no decay": ([each for each in others if each.is_vector], 0.0),
    }
    return (
        [_group("hidden", hidden, lr, decay)],
        [_group(name, each, others_lr, own) for name, (each, own) in sorted_out.items() if each],
    )


def _is_hidden(each: Named, outside: str | None) -> bool:
    is_outside = each.is_embedding or (outside is not None and each.is_found(outside))
    return each.parameter.ndim == 2 and not each.is_vector and not is_outside


def _group(name: str, held: list[Named], lr: float, decay: float) -> Group:
    return {"params": [each.parameter for each in held], "lr": lr, "weight_decay": decay, "name": name}
