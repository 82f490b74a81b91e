"""The inside of `LSTMWithProjection`: its cell, the loops over the steps, its matrix product."""

from elmo_tf2.layers.lstm.recurrence import Gradient, lstm_recurrence
from elmo_tf2.layers.lstm.spec import LSTMSpec

__all__ = ["Gradient", "LSTMSpec", "lstm_recurrence"]
