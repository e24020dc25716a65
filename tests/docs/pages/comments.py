"""Parses the comments of config/lockgate.toml: one for each setting and each table."""

import re
from dataclasses import dataclass, field
from pathlib import Path

TEMPLATE = Path(__file__).parents[3] / "config" / "lockgate.toml"

_TABLE = re.compile(r"(?:# )?\[\[?([a-z_.]+)\]\]?")
_SETTING = re.compile(r"(?:# )?([a-z_]+) = \S.*?(?:\s+# (.*))?")


@dataclass
class Comments:
    """The comments of settings and of tables, by dotted path."""

    of_settings: dict[str, str] = field(default_factory=dict)
    of_tables: dict[str, str] = field(default_factory=dict)

    def find(self, table: str, name: str) -> str:
        """Return the comment on a setting, or the last sentence of the comment above its table.

        Raises:
            LookupError: the template describes neither the setting nor its table.
        """
        path = f"{table}.{name}" if table else name
        found = self.of_settings.get(path) or self.of_tables.get(table, "").split(". ")[-1]
        if not found:
            raise LookupError(f"config/lockgate.toml has no comment on {path}")
        return found


def parse_comments(text: str | None = None) -> Comments:
    """Parse the template; a comment belongs to the table or setting below it or on its line."""
    found, table, above = Comments(), "", list[str]()
    for line in (text or TEMPLATE.read_text(encoding="utf-8")).splitlines():
        if header := _TABLE.fullmatch(line):
            table = header[1]
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
