"""`Section`, the base class of the tables of settings, and the error of settings in conflict."""

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticCustomError

CONFLICT = "lockgate_conflict"
"""The type of an error about several settings of one table.

Its context has the names of these settings as `fields`, and as `at` the one to name, or "".
"""


class Section(BaseModel):
    """Base class of all tables: frozen, and unknown keys are an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def conflict(message: str, *fields: str, at: str = "") -> PydanticCustomError:
    """Return the error of several settings of one table that contradict each other."""
    return PydanticCustomError(CONFLICT, message, {"fields": fields, "at": at})
