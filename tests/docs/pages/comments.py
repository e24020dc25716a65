"""The comments of config/lockgate.toml, by the setting that they are about."""

import re
from dataclasses import dataclass, field
from pathlib import Path

TEMPLATE = Path(__file__).parents[3] / "config" / "lockgate.toml"

_TABLE = re.compile(r"(?:# )?\[\[?([a-z_.]+)\]\]?")
_SETTING = re.compile(r"(?:# )?([a-z_]+) = \S.*?(?:\s+# (.*))?")


@dataclass
class Comments:
    """What the template says of each setting and of each table, by dotted path."""

    of_settings: dict[str, str] = field(default_factory=dict)
    of_tables: dict[str, str] = field(default_factory=dict)

    def of(self, table: str, name: str) -> str:
        """The comment on a setting; of one that has none, the last sentence above its table tells.

        Raises:
            LookupError: the template says nothing of it.
        """
        path = f"{table}.{name}" if table else name
        found = self.of_settings.get(path) or self.of_tables.get(table, "").split(". ")[-1]
        if not found:
            raise LookupError(f"config/lockgate.toml says nothing of {path}")
        return found


def comments(text: str | None = None) -> Comments:
    """Read the template. What stands above a table or a setting is about it."""
    found, table, above = Comments(), "", list[str]()
    for line in (text or TEMPLATE.read_text(encoding="utf-8")).splitlines():
        if opened := _TABLE.fullmatch(line):
            table = opened[1]
            found.of_tables[table] = " ".join(above)
            above = []
        elif setting := _SETTING.fullmatch(line):
            path = f"{table}.{setting[1]}" if table else setting[1]
            found.of_settings[path] = setting[2] or " ".join(above)
            above = []
        elif line.startswith("# "):
            above.append(line.removeprefix("# "))
        else:
            above = []
    return found
