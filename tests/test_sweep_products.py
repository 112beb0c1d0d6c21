"""The product that members share: equal to `@`, and a member that diverged touches no other."""

import pytest
import torch

from lrcourse.sweep.products import by_rows


@pytest.mark.parametrize("dtype, tolerance", [(torch.float32, 1e-5), (torch.float64, 0.0)])
@pytest.mark.parametrize("shape", [(12, 3, 5), (8192, 64, 33), (7, 65, 1)])
@pytest.mark.parametrize("compiled", [False, True])
def test_it_is_the_product(dtype, tolerance, shape, compiled):
    rows, inputs, batch = shape
    torch.manual_seed(0)
    a, b = torch.randn(rows, inputs, dtype=dtype), torch.randn(inputs, batch, dtype=dtype).T
    product = torch.compile(by_rows, fullgraph=True) if compiled else by_rows
    torch.testing.assert_close(product(a, b), a @ b.T, rtol=tolerance, atol=tolerance * 8)


def test_a_row_does_not_depend_on_the_others():
    torch.manual_seed(0)
    a, b = torch.randn(96, 64), torch.randn(32, 64)
    healthy = by_rows(a, b)
    a[5:9], a[9] = torch.nan, torch.inf
    others = [i for i in range(96) if not 5 <= i <= 9]
    assert torch.equal(by_rows(a, b)[others], healthy[others])
