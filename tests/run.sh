#!/usr/bin/env bash
# Sets up a virtual environment and runs every check: style, types, tests, the documents' site.
#
#   bash tests/run.sh [--fast] [--environment FOLDER] [AREA…]
#
#   --fast         leave out what is marked as slow: to run while you work
#   --environment  the virtual environment; made if it is not there. Default: .venv
#   AREA           only these tests and neither style nor types: a folder of tests/, such as
#                  `layers`, or a file, such as `demo` or `models/test_bilm.py`
set -euo pipefail
cd "$(dirname "$0")/.."

environment=.venv
markers=()
areas=()
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) sed -n '2,/^set/s/^# \{0,1\}//p' "$0"; exit ;;
    --fast) markers=(-m "not slow") ;;
    --environment) environment=${2:?--environment needs a folder}; shift ;;
    -*) echo "There is no option $1. See bash tests/run.sh --help" >&2; exit 2 ;;
    *)
      name=${1#tests/}
      for path in "tests/$name" "tests/$name.py" "tests/test_$name.py" ""; do
        [ -e "$path" ] && break
      done
      [ "$path" ] || { echo "There is no area $1 in tests/." >&2; exit 2; }
      areas+=("$path")
      ;;
  esac
  shift
done

# Runs a command, and prints what it did and how long that took.
step() {
  local title=$1 start=$SECONDS
  shift
  "$@" || { echo "FAILED: $title" >&2; return 1; }
  printf '%-52s %4d s\n' "$title" $((SECONDS - start))
}

python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
  { echo "elmo_tf2 needs Python 3.10 or newer; python3 is $(python3 --version)." >&2; exit 1; }
unset PYTHONDONTWRITEBYTECODE  # without bytecode every process compiles all of TensorFlow anew

install() {
  [ -x "$environment/bin/python" ] || python3 -m venv "$environment"
  "$environment/bin/python" -m pip install --quiet --no-compile uv
  # It takes a fifth of the time of pip. Bytecode is made once here, not by every process of the tests.
  "$environment/bin/uv" pip install --quiet --compile-bytecode \
    --python "$environment/bin/python" '.[test]'
}
step "Environment: $environment" install

# Beside the tests, in a process of its own.
check_style_and_types() {
  step "Style: ruff check" "$environment/bin/ruff" check --quiet .
  step "Style: ruff format" "$environment/bin/ruff" format --quiet --check .
  step "Types: mypy" "$environment/bin/mypy" --no-error-summary
}
checks=
if [ ${#areas[@]} -eq 0 ]; then
  check_style_and_types &
  checks=$!
fi

# A core for every process of pytest. A module's tests stay together, since what they share takes
# long to make; the longest modules come first (tests/conftest.py).
export TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1
step "Tests" "$environment/bin/python" -m pytest -n "$(getconf _NPROCESSORS_ONLN)" \
  --dist loadscope --no-loadscope-reorder --durations=10 ${markers[@]+"${markers[@]}"} ${areas[@]+"${areas[@]}"}
[ -z "$checks" ] || wait "$checks"
printf '%-52s %4d s\n' "All" $SECONDS
