"""The command line as `python -m elmo_tf2`."""

from elmo_tf2.cli import main

if __name__ == "__main__":
    main()
