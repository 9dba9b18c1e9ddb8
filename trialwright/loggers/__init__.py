"""Loggers: files about each trial, in the layout that TensorBoard, VisKit, and pandas read.

>>> from trialwright.loggers import FileLogger
>>> FileLogger("csv", "json").kinds
('csv', 'json')
"""

from trialwright.loggers.base import FileLogger, Naming, export
from trialwright.loggers.csv import CSVLogger
from trialwright.loggers.json import JSONLogger
from trialwright.loggers.tensorboard import TensorBoardLogger

__all__ = ["CSVLogger", "FileLogger", "JSONLogger", "Naming", "TensorBoardLogger", "export"]
