"""Instructions of a callgrind profile are summed by object file."""

from tests.bench.instructions import sum_by_library

PROFILE = """\
version: 1
events: Ir
ob=(1) /usr/bin/python3.13
fl=(1) ???
fn=(1) _PyEval_EvalFrameDefault
0 100
+3 20
cob=(2) /site-packages/uvloop/loop.cpython-313-x86_64-linux-gnu.so
cfn=(2) run
calls=7 0
* 5000
0 3
ob=(2)
fn=(2)
12 400
-4 50
ob=(1)
fn=(3) other
0 7
"""


def test_the_cost_of_a_call_is_instructions_once_at_the_callee() -> None:
    instructions = sum_by_library(iter(PROFILE.splitlines(keepends=True)))
    assert instructions == {"python3": 130, "loop": 450}
