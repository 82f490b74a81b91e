"""The tests mirror the package; what several of them share stands beside them."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
