"""An audit in Lightning, in the Trainer of Hugging Face and in accelerate."""

import logging
from typing import Any

import accelerate
import pytest
import pytorch_lightning as lightning
import torch
import transformers
from torch.utils.data import DataLoader, TensorDataset

from lrcourse import Cosine
from lrcourse.audit import Audit, trainer_callback
from lrcourse.torch import ScheduleLR
from tests.regression import Module, Regression

EPOCHS, BATCHES = 3, 8
N = EPOCHS * BATCHES
SCHEDULE = Cosine(0.1, 0.0, N)
DATA = TensorDataset(torch.randn(2 * BATCHES, 2), torch.randn(2 * BATCHES, 1))


def faults(audit):
    return [each.name for each in audit.report().faults]


# Lightning


def lightning_run(audit, tmp_path, interval, **options):
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)

    class Scheduled(Module):
        def configure_optimizers(self):
            optimizer = torch.optim.SGD(self.parameters(), lr=0.1)
            return {"optimizer": optimizer,
                    "lr_scheduler": {"scheduler": ScheduleLR(optimizer, SCHEDULE), "interval": interval}}  # fmt: skip

    watch = lightning.callbacks.LambdaCallback(
        on_train_start=lambda trainer, module: audit.attach(trainer.optimizers[0], step=trainer.global_step),
        on_train_batch_end=lambda trainer, module, outputs, *_: audit.loss(outputs["loss"]),
    )
    trainer = lightning.Trainer(
        max_epochs=EPOCHS, callbacks=[watch], logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, accelerator="cpu", default_root_dir=tmp_path, **options,
    )  # fmt: skip
    trainer.fit(Scheduled(), DataLoader(DATA, batch_size=2))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("interval", "found"), [("step", []), ("epoch", ["stepped per epoch"])])
def test_lightning(interval, found, tmp_path):
    audit = Audit(SCHEDULE, N)
    lightning_run(audit, tmp_path, interval)
    assert len(audit.rows) == N and faults(audit) == found and None not in audit.rows.loss


@pytest.mark.filterwarnings("ignore")
def test_lightning_with_accumulation_makes_fewer_updates_than_there_are_batches(tmp_path):
    audit = Audit(SCHEDULE, N)
    lightning_run(audit, tmp_path, "step", accumulate_grad_batches=2)
    assert len(audit.rows) == N // 2 and faults(audit) == ["ends high"]


# The Trainer of Hugging Face


def trainer_run(audit, tmp_path, schedule=SCHEDULE, resume=False, epochs=EPOCHS, **options):
    model = Regression()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    both: Any = (optimizer, ScheduleLR(optimizer, schedule))  # declared as LambdaLR, taken as any scheduler
    arguments = transformers.TrainingArguments(
        output_dir=str(tmp_path), num_train_epochs=epochs, per_device_train_batch_size=2, logging_steps=1, use_cpu=True,
        report_to=[], disable_tqdm=True, save_strategy="epoch", **options,
    )  # fmt: skip
    trainer = transformers.Trainer(
        model=model, args=arguments, train_dataset=[{"x": x, "labels": y} for x, y in zip(*DATA.tensors)],
        optimizers=both, callbacks=[trainer_callback(audit)],
    )  # fmt: skip
    trainer.train(resume_from_checkpoint=resume or None)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("options", "made", "found"), [
    ({}, N, []), ({"gradient_accumulation_steps": 4}, N // 4, ["ends high"])
])  # fmt: skip
def test_the_trainer(options, made, found, tmp_path):
    audit = Audit(SCHEDULE, N)
    trainer_run(audit, tmp_path, **options)
    assert len(audit.rows) == made and faults(audit) == found and None not in audit.rows.loss


@pytest.mark.filterwarnings("ignore")
def test_a_trainer_that_goes_on_is_counted_on(tmp_path):
    trainer_run(Audit(), tmp_path, epochs=2)
    audit = Audit(SCHEDULE, N)
    trainer_run(audit, tmp_path, resume=True)
    assert audit.rows.step == list(range(2 * BATCHES, N)) and faults(audit) == []


# accelerate


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("processes", [1, 2])
def test_accelerate_moves_its_scheduler_once_per_process(processes, monkeypatch):
    accelerator = accelerate.Accelerator(cpu=True)
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler = ScheduleLR(optimizer, SCHEDULE)
    model, optimizer, scheduler, loader = accelerator.prepare(
        model, optimizer, scheduler, DataLoader(DATA, batch_size=2)
    )
    state = type("State", (), {"num_processes": processes})
    monkeypatch.setattr(accelerate.scheduler, "AcceleratorState", state)
    told, bare = Audit(SCHEDULE, N), Audit()
    told.attach(optimizer)
    bare.attach(optimizer, scheduler)
    for _ in range(EPOCHS):
        for x, y in loader:
            optimizer.zero_grad()
            accelerator.backward(((model(x) - y) ** 2).mean())
            optimizer.step()
            scheduler.step()
    for audit in (told, bare):
        assert len(audit.rows) == N and faults(audit) == ([] if processes == 1 else ["several steps per update"])
