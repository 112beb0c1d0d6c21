"""The page on trainers: its code runs in the real libraries, and a run that was stopped goes on bit for bit."""

import json
import logging
import re
import textwrap
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
import transformers
from torch.utils.data import DataLoader, TensorDataset

from lrcourse import Cosine, Plateau
from lrcourse.torch import PlateauLR, ScheduleLR
from tests.regression import Module, Regression, network
from tests.two_processes import run_together

PAGE = (Path(__file__).parents[1] / "book" / "trainers.md").read_text(encoding="utf-8")
SECTIONS = dict(zip(*[iter(re.split(r"(?m)^##? (.+)\n", PAGE)[1:])] * 2, strict=True))
BLOCKS = {name: re.findall(r"(?ms)^```python\n(.*?)^```", text) for name, text in SECTIONS.items()}
PLAN, LIGHTNING, TRAINER, ACCELERATE, PROCESSES, _, LOG = BLOCKS.values()

EPOCHS, BATCHES = 3, 8
N = EPOCHS * BATCHES
LONGER = Cosine(0.1, 0.0, 2 * N)
X = torch.randn(2 * BATCHES, 3, generator=torch.Generator().manual_seed(0))
DATA = TensorDataset(X[:, :2], X[:, 2:])


def run_code(code: str, **names: Any) -> dict[str, Any]:
    exec(code, names)
    return names


SCHEDULE = run_code(PLAN[0], epochs=EPOCHS, loader=range(BATCHES))["schedule"]
MEANT = SCHEDULE.table(N).tolist()


def noted(optimizer: torch.optim.Optimizer, rates: list[float]) -> None:
    optimizer.register_step_pre_hook(lambda optimizer, *_: rates.append(float(optimizer.param_groups[0]["lr"])))


def weights(model: torch.nn.Module) -> list[list[float]]:
    return [parameter.detach().flatten().tolist() for parameter in model.parameters()]


def test_the_plan_of_the_page_warms_up_and_ends_at_0() -> None:
    assert MEANT[0] > 0.0 and max(MEANT) == 0.1 and SCHEDULE(N) == 0.0


def in_lightning(folder: Path, epochs: int = EPOCHS, goes_on: bool = False, longer: bool = False) -> Any:
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    names = {"Module": Module, "schedule": SCHEDULE, "longer": LONGER, "torch": torch}
    names = run_code("".join(LIGHTNING), **names)
    model, rates = names["Trained"](), []
    note = pl.callbacks.LambdaCallback(on_fit_start=lambda trainer, module: noted(trainer.optimizers[0], rates))
    callbacks = [note, pl.callbacks.ModelCheckpoint(folder, save_last=True), *([names["Longer"]()] if longer else [])]
    trainer = pl.Trainer(
        max_epochs=epochs, callbacks=callbacks, logger=False, enable_progress_bar=False, enable_model_summary=False,
        accelerator="cpu", default_root_dir=folder,
    )  # fmt: skip
    trainer.fit(model, DataLoader(DATA, batch_size=2), ckpt_path=str(folder / "last.ckpt") if goes_on else None)
    return rates, weights(model)


def in_a_trainer(folder: Path, epochs: int = EPOCHS, goes_on: bool = False, longer: bool = False) -> Any:
    model, rates = Regression(), []
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    arguments = transformers.TrainingArguments(
        output_dir=str(folder), num_train_epochs=epochs, per_device_train_batch_size=2, use_cpu=True, report_to=[],
        disable_tqdm=True, save_strategy="epoch",
    )  # fmt: skip
    others = {"args": arguments, "train_dataset": [{"x": x, "labels": y} for x, y in zip(*DATA.tensors)]}
    names = run_code(
        "".join(TRAINER), Trainer=transformers.Trainer, TrainerCallback=transformers.TrainerCallback, model=model,
        optimizer=optimizer, schedule=SCHEDULE, longer=LONGER, others=others,
    )  # fmt: skip
    noted(optimizer, rates)
    if longer:
        names["trainer"].add_callback(names["Longer"]())
    names["trainer"].train(resume_from_checkpoint=goes_on or None)
    return rates, weights(model)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("run", [in_lightning, in_a_trainer])
def test_a_trainer_uses_the_schedule_and_goes_on_bit_for_bit_and_with_another_one(run: Any, tmp_path: Path) -> None:
    never_stopped, final = run(tmp_path / "whole")
    assert never_stopped == MEANT
    before, _ = run(tmp_path / "stopped", epochs=1)
    after, reached = run(tmp_path / "stopped", goes_on=True)
    assert before + after == MEANT and reached == final
    run(tmp_path / "longer", epochs=1)
    rates, _ = run(tmp_path / "longer", epochs=2 * EPOCHS, goes_on=True, longer=True)
    assert rates == LONGER.table(2 * N).tolist()[BATCHES:]


def with_a_plateau(folder: Path, epochs: int = 6, goes_on: bool = False) -> Any:
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    (recipe,) = re.findall(r"(?ms)^    +def on_validation_epoch_end.*?\n\n", PlateauLR.__doc__ or "")

    class Cut(Module):
        on_validation_epoch_end = run_code(textwrap.dedent(recipe))["on_validation_epoch_end"]

        def validation_step(self, batch: Any, i: int) -> None:
            self.log("val_loss", float(self.current_epoch == 0))  # never better than in the first epoch

        def configure_optimizers(self) -> Any:
            optimizer = torch.optim.AdamW(self.parameters(), lr=0.1)
            scheduler = PlateauLR(optimizer, Plateau(0.1, factor=0.5, patience=1, mode="max"))
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    model, rates, loader = Cut(), [], DataLoader(DATA, batch_size=2)
    note = pl.callbacks.LambdaCallback(on_fit_start=lambda trainer, module: noted(trainer.optimizers[0], rates))
    saving = pl.callbacks.ModelCheckpoint(folder, filename="last", save_on_train_epoch_end=True)
    trainer = pl.Trainer(
        max_epochs=epochs, callbacks=[note, saving], logger=False, enable_progress_bar=False, accelerator="cpu",
        enable_model_summary=False, default_root_dir=folder,
    )  # fmt: skip
    assert trainer.num_sanity_val_steps > 0
    trainer.fit(model, loader, loader, ckpt_path=str(folder / "last.ckpt") if goes_on else None)
    return rates, weights(model)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("stopped", [1, 2])
def test_a_plateau_in_lightning_takes_each_metric_once_and_goes_on_bit_for_bit(stopped: int, tmp_path: Path) -> None:
    never_stopped, final = with_a_plateau(tmp_path / "whole")
    assert never_stopped[::BATCHES] == [0.1 * 0.5 ** max(0, epoch - 1) for epoch in range(6)]
    before, _ = with_a_plateau(tmp_path / "stopped", epochs=stopped)
    after, reached = with_a_plateau(tmp_path / "stopped", goes_on=True)
    assert before + after == never_stopped and reached == final


# Each run notes its rates, and the weights that it comes to.
SEVERAL = """
from lrcourse import Linear, warmup
from torch.utils.data import DataLoader, TensorDataset

def build():
    torch.manual_seed(1)
    model = torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))
    return model, torch.optim.AdamW(model.parameters(), lr=0.1)

def note(optimizer):
    rates = []
    optimizer.register_step_pre_hook(lambda optimizer, *_: rates.append(float(optimizer.param_groups[0]["lr"])))
    return rates

data = torch.randn(64, 3, generator=torch.Generator().manual_seed(0))
epochs = 3
"""
WITH_ACCELERATE = """
from accelerate import Accelerator

loss_fn, at = torch.nn.functional.mse_loss, folder + "/checkpoint"
accelerators = [Accelerator(cpu=True, gradient_accumulation_steps=batches) for _ in range(3)]

def run(accelerator, begin, end):
    names = {{"accelerator": accelerator, "loss_fn": loss_fn}}
    names["model"], names["optimizer"] = build()
    names["loader"] = DataLoader(TensorDataset(data[:, :2], data[:, 2:]), batch_size=2)
    names["schedule"] = warmup(Linear(0.1, 0.0, 3 * 32 // world // batches - 2), steps=2)
    rates = note(names["optimizer"])
    exec({code!r}, names)
    if begin:
        accelerator.load_state(at)
    for _ in range(begin, end):
        names["epoch"]()
    if end < epochs:
        accelerator.save_state(at)
    return rates, [parameter.tolist() for parameter in names["model"].parameters()], names["schedule"]

rates, final, schedule = run(accelerators[0], 0, 3)
before, _, _ = run(accelerators[1], 0, 1)
after, reached, _ = run(accelerators[2], 1, 3)
assert accelerators[0].num_processes == world and len(rates) == 3 * 32 // world // batches
print(json.dumps([rates == schedule.table(len(rates)).tolist(), before + after == rates, reached == final]))
"""


@pytest.mark.slow
@pytest.mark.parametrize(("world", "batches"), [(1, 2), (2, 4)])
def test_accelerate_steps_once_per_update_and_goes_on_bit_for_bit(world: int, batches: int, tmp_path: Path) -> None:
    script = f"batches = {batches}\n" + WITH_ACCELERATE.format(code=ACCELERATE[0])
    assert run_together(SEVERAL + script, tmp_path, world) == ["[true, true, true]"] * world


IN_DDP = """
from lrcourse.torch import ScheduleLR

def run(begin, end):
    plain, optimizer = build()
    model = torch.nn.parallel.DistributedDataParallel(plain)
    scheduler, rates = ScheduleLR(optimizer, schedule), note(optimizer)
    parts = {"model": model, "optimizer": optimizer, "scheduler": scheduler}
    if begin:
        for name, state in torch.load(f"{folder}/{begin}.pt").items():
            parts[name].load_state_dict(state)
    for t in range(begin, end):
        batch = data[4 * t + 2 * rank:][:2]  # a part for each process
        optimizer.zero_grad()
        ((model(batch[:, :2]) - batch[:, 2:]) ** 2).mean().backward()
        optimizer.step()
        scheduler.step()
    if end < steps and rank == 0:
        torch.save({name: part.state_dict() for name, part in parts.items()}, f"{folder}/{end}.pt")
    distributed.barrier()
    return rates, [parameter.tolist() for parameter in model.parameters()]
"""
IN_FSDP = """
import torch.distributed.checkpoint as dcp
from torch.distributed.fsdp import fully_shard

def run(begin, end):
    names = {{"model": build()[0], "schedule": schedule, "torch": torch}}
    exec({code!r}, names)
    model, optimizer, scheduler = (names[each] for each in ("model", "optimizer", "scheduler"))
    if begin:
        names["load"](f"{{folder}}/{{begin}}")
    rates = note(optimizer)  # after torch has made the moments, by an update at rate 0
    for t in range(begin, end):
        batch = data[4 * t + 2 * rank:][:2]
        optimizer.zero_grad()
        ((model(batch[:, :2]) - batch[:, 2:]) ** 2).mean().backward()
        optimizer.step()
        scheduler.step()
    if end < steps:
        names["save"](f"{{folder}}/{{end}}")
    return rates, [parameter.full_tensor().tolist() for parameter in model.parameters()]
"""
COMPARE = """
steps = 16
schedule = warmup(Linear(0.1, 0.0, steps - 2), steps=2)
rates, final = run(0, steps)
found = [rates == schedule.table(steps).tolist()]
for at in (1, 7):
    before, _ = run(0, at)
    after, reached = run(at, steps)
    found += [before + after == rates, reached == final]
print(json.dumps([found, final]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("wrapped", ["DDP", "FSDP"])
def test_two_processes_with_one_model_go_on_bit_for_bit(wrapped: str, tmp_path: Path) -> None:
    run = IN_DDP if wrapped == "DDP" else IN_FSDP.format(code=PROCESSES[0])
    first, second = map(json.loads, run_together(SEVERAL + run + COMPARE, tmp_path))
    assert first == second and first[0] == [True] * 5


def test_a_log_shows_what_each_update_has_used() -> None:
    from tqdm import tqdm

    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler, shown = ScheduleLR(optimizer, SCHEDULE), []
    with tqdm(total=N, disable=None) as bar:
        names = run_code(
            LOG[0], model=model, optimizer=optimizer, scheduler=scheduler, loss_of=lambda model, x: model(x).sum(),
            log=lambda rates: (bar.set_postfix(rates), shown.append(rates)),
        )  # fmt: skip
        for batch in DATA.tensors[0].repeat(2, 1)[:N]:
            names["update"](batch)
    assert shown == [{"lr": rate} for rate in MEANT]
