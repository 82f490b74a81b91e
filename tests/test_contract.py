"""The contract of an exported ELMo, and what is written from it.

To write export/contract.json and the tables of export/README.md anew:
python -m tests.test_contract
"""

import json
import re
import sys

from elmo_tf2.saved_model import contract, tables
from tests import REPOSITORY
from tests.processes import run_new_interpreter

README = REPOSITORY / "export" / "README.md"
JSON = REPOSITORY / "export" / "contract.json"
TABLES = {
    "signatures": tables.signatures_table,
    "outputs": tables.outputs_table,
    "members": tables.members_table,
}


def readme():
    """The text of export/README.md with the contract's tables in it."""
    text = README.read_text(encoding="utf-8")
    for name, table in TABLES.items():
        begin, end = f"<!-- contract: {name} -->\n", "<!-- end -->"
        before, rest = text.split(begin)
        text = f"{before}{begin}{table()}\n{rest[rest.index(end) :]}"
    return text


def data():
    """The text of export/contract.json."""
    return json.dumps(contract.as_data(), indent=2, ensure_ascii=False) + "\n"


def test_what_is_written_from_the_contract_is_as_it_says():
    regenerate = "to write it anew: python -m tests.test_contract"
    assert README.read_text(encoding="utf-8") == readme(), regenerate
    assert JSON.read_text(encoding="utf-8") == data(), regenerate


def test_the_contract_needs_no_tensorflow():
    code = "import sys, elmo_tf2.saved_model.contract; sys.exit('tensorflow' in sys.modules)"
    assert run_new_interpreter("-c", code).returncode == 0


def test_the_scripts_need_tensorflow_alone():
    allowed = {*sys.stdlib_module_names, "numpy", "tensorflow", "tensorflow_hub"}
    for name in ("check_saved_model", "saved_model_checks"):
        source = (REPOSITORY / "export" / f"{name}.py").read_text(encoding="utf-8")
        modules = re.findall(r"^ *(?:import|from) (\w+)", source, re.MULTILINE)
        assert set(modules) <= allowed | {"saved_model_checks"}


if __name__ == "__main__":
    README.write_text(readme(), encoding="utf-8")
    JSON.write_text(data(), encoding="utf-8")
