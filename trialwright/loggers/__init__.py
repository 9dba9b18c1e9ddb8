"""Loggers: files about each trial, in the layout that TensorBoard, VisKit, and pandas read.

>>> from trialwright.loggers import FileLogger
>>> FileLogger("csv", "json").kinds
('csv', 'json')
"""

from trialwright.loggers.base import CSVLogger, FileLogger, JSONLogger, TensorBoardLogger, export
from trialwright.loggers.rows import Naming

__all__ = ["CSVLogger", "FileLogger", "JSONLogger", "Naming", "TensorBoardLogger", "export"]
