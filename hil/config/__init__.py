"""The two files a user writes: the bench and the experiment."""

from hil.config.bench import BenchFile, load_bench
from hil.config.experiment import ExperimentFile, load_experiment

__all__ = ["BenchFile", "ExperimentFile", "load_bench", "load_experiment"]
