"""The product of all members' weights with the inputs that they share, and its gradient: every row times every row."""

import torch

Tensor = torch.Tensor
# PyTorch has two libraries for products in float32. MKL, which `@` calls, uses half of the vector width of AMD's
# processors; with oneDNN, 64 settings of a digits network took three quarters of the time.
HAS_ONEDNN = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


def by_rows(a: Tensor, b: Tensor) -> Tensor:
    """`a @ b.T`, (M, I) by (N, I), without a gradient of its own.

    >>> by_rows(torch.ones(3, 2), torch.ones(4, 2)).shape
    torch.Size([3, 4])
    """
    if HAS_ONEDNN and a.dtype == torch.float32 and a.device.type == "cpu":
        return torch.ops.lrcourse.by_rows(a.contiguous(), b.contiguous())  # type: ignore[no-any-return]
    return a @ b.T


# To a compiler, which would take `b` for weights that never change, this has no inside. It is defined by hand because
# `torch.library.custom_op` costs a tenth of such a product for every call.
_LIBRARY = torch.library.Library("lrcourse", "DEF")
_LIBRARY.define("by_rows(Tensor a, Tensor b) -> Tensor")


@torch.library.impl(_LIBRARY, "by_rows", "CPU")
def _multiplied(a: Tensor, b: Tensor) -> Tensor:
    return torch.ops.mkldnn._linear_pointwise(a, b, None, "none", [], "")  # type: ignore[no-any-return]


@torch.library.register_fake("lrcourse::by_rows")  # type: ignore[untyped-decorator]
def _shaped(a: Tensor, b: Tensor) -> Tensor:
    return a.new_empty(len(a), len(b))
