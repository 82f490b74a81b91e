#!/usr/bin/env bash
# Sets up a virtual environment and runs every check: style, types, tests, slow tests.
#   bash tests/run.sh [ENVIRONMENT]      ENVIRONMENT: a folder, .venv unless given
set -euo pipefail
cd "$(dirname "$0")/.."
environment=${1:-.venv}
python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
  { echo "elmo_tf2 needs Python 3.10 or newer; python3 is $(python3 --version)." >&2; exit 1; }
[ -x "$environment/bin/python" ] || python3 -m venv "$environment"
unset PYTHONDONTWRITEBYTECODE  # without bytecode every process compiles all of TensorFlow anew
"$environment/bin/python" -m pip install --quiet --no-compile '.[test]'
"$environment/bin/ruff" check .
"$environment/bin/ruff" format --check .
"$environment/bin/mypy" &
types=$!
export TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1  # every process of pytest has a core
# One more at once than there are processors, since many wait for processes of their own. A module's
# tests stay together, since what they share takes long to make.
processes=$(($(getconf _NPROCESSORS_ONLN) + 1))
tests=("$environment/bin/python" -m pytest -n "$processes" --dist loadscope --durations=20)
"${tests[@]}" -m "not slow"
wait $types
timeout 1500 "${tests[@]}" -m slow
