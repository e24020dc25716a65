"""Tests of the parser of code blocks and of the comparison of outputs."""

from pathlib import Path

import pytest

from tests.docs.blocks import Block, matches, parse_blocks

PAGE = """# A page

## First

`clients/new.py`:

```python
x = 1
```

## Second

```sh
echo {}
```
"""


def test_a_block_has_its_section_and_its_file(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    assert parse_blocks(page) == [
        Block("python", "x = 1\n", "First", "clients/new.py"),
        Block("sh", "echo {}\n", "Second", None),
    ]


@pytest.mark.parametrize(
    ("shown", "actual", "same"),
    [
        ('{"a":1}', '{"a":1}\n', True),
        ('{"a":…}', '{"a":12,"b":2}', True),
        ("two\n  lines", "two lines", True),
        ("…end", "start and end", True),
        ('{"a":1}', '{"a":2}', False),
        ("start", "start and end", False),
        ("a.c", "abc", False),
    ],
)
def test_an_output_is_compared_with_the_page(shown: str, actual: str, same: bool) -> None:
    assert matches(shown, actual) is same
