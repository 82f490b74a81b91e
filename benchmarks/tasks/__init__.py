"""ELMo in the models of real tasks: see `run.py --help`, and README.md of the folder above."""
