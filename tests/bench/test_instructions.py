"""A profile of callgrind's, added up by the file of code that each instruction is from."""

from tests.bench.instructions import by_library

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


def test_what_a_call_cost_inside_is_counted_once_where_it_was_spent() -> None:
    counted = by_library(iter(PROFILE.splitlines(keepends=True)))
    assert counted == {"python3": 130, "loop": 450}
