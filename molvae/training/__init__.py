"""The training loop, its checkpoints and its log."""

from molvae.training.checkpoint import Checkpoints, Clock
from molvae.training.optimizers import OPTIMIZERS, Adam, Muon
from molvae.training.phases import Phase
from molvae.training.plan import Monitor, Plan
from molvae.training.precision import choose_device_type, choose_num_threads, choose_precision
from molvae.training.processes import close_fabric, in_process_group, open_fabric, supervise
from molvae.training.progress import choose_progress
from molvae.training.trainer import Trainer

__all__ = [
    "OPTIMIZERS", "Adam", "Checkpoints", "Clock", "Monitor", "Muon", "Phase", "Plan", "Trainer",
    "choose_device_type", "choose_num_threads", "choose_precision", "choose_progress", "close_fabric", "in_process_group",
    "open_fabric", "supervise",
]
