"""Loggers: files about each trial, in the layout that TensorBoard, VisKit, and pandas read.

>>> from trialist.loggers import FileLogger
>>> FileLogger("csv", "json").kinds
('csv', 'json')
"""

from trialist.loggers.base import FileLogger, Naming, export
from trialist.loggers.csv import CSVLogger
from trialist.loggers.json import JSONLogger
from trialist.loggers.tensorboard import TensorBoardLogger

__all__ = ["CSVLogger", "FileLogger", "JSONLogger", "Naming", "TensorBoardLogger", "export"]
