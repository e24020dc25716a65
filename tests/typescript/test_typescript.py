"""TypeScript types can be generated from the OpenAPI document, and the example compiles with them.

These tests need npm and its registry. Without them they are skipped, with the reason.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.typescript.npm import TIMEOUT_SECONDS, run_npm
from tests.typescript.orders_app import build_document

FOLDER = Path(__file__).parent
DOCUMENT = FOLDER.parents[1] / "docs" / "reference" / "openapi.json"

Document = dict[str, Any]

pytestmark = [pytest.mark.typescript, pytest.mark.timeout(2 * TIMEOUT_SECONDS)]


def compile_example(project: Path, document: Document, configuration: str = "tsconfig.json") -> str:
    """Validate a document, generate types from it, compile, and return the compiler's report."""
    (project / "openapi.json").write_text(json.dumps(document))
    for script in ("validate", "generate"):
        result = run_npm(project, "run", script)
        assert result.returncode == 0, result.stdout + result.stderr
    compiled = run_npm(project, "run", "compile", "--", "--project", configuration)
    assert (compiled.returncode == 0) == ("error TS" not in compiled.stdout)
    return compiled.stdout


def load_document() -> Document:
    document: Document = json.loads(DOCUMENT.read_text(encoding="utf-8"))
    return document


def test_the_example_compiles(project: Path) -> None:
    assert "error TS" not in compile_example(project, load_document())


def add_problem(document: Document) -> None:
    schemas = document["components"]["schemas"]
    added = json.loads(json.dumps(schemas["InternalErrorProblem"]))
    added["properties"]["type"]["const"] = "urn:lockgate:problem:added"
    schemas["AddedProblem"] = added
    responses = document["paths"]["/dashboard/{user_id}"]["get"]["responses"]
    union = responses["500"]["content"]["application/problem+json"]["schema"]
    union["oneOf"].append({"$ref": "#/components/schemas/AddedProblem"})
    union["discriminator"]["mapping"]["urn:lockgate:problem:added"] = (
        "#/components/schemas/AddedProblem"
    )


def add_part(document: Document) -> None:
    degraded = document["components"]["schemas"]["DashboardDegraded"]
    degraded["properties"]["part"]["enum"].append("added")


def add_reason(document: Document) -> None:
    degraded = document["components"]["schemas"]["DashboardDegraded"]
    degraded["properties"]["reason"]["enum"].append("added")


def add_composite(document: Document) -> None:
    schemas = document["components"]["schemas"]
    schemas["AddedDegraded"] = json.loads(json.dumps(schemas["DashboardDegraded"]))
    schemas["AddedDegraded"]["properties"]["part"]["enum"] = ["added"]
    schemas["Dashboard"]["properties"]["degraded"]["items"]["$ref"] = (
        "#/components/schemas/AddedDegraded"
    )


@pytest.mark.parametrize("change", [add_problem, add_part, add_reason, add_composite])
def test_the_example_does_not_compile_without_a_case(
    project: Path, change: Callable[[Document], None]
) -> None:
    document = load_document()
    change(document)
    report = compile_example(project, document)
    assert "is not assignable to parameter of type 'never'" in report
    assert report.count("error TS") == 1


def test_problems_of_services_are_cases_with_their_members(project: Path) -> None:
    assert "error TS" not in compile_example(project, build_document(), "tsconfig.orders.json")


def test_the_example_does_not_compile_without_a_problem_of_a_service(project: Path) -> None:
    text = json.dumps(build_document()).replace("address-unknown", "address-missing")
    report = compile_example(project, json.loads(text), "tsconfig.orders.json")
    assert "is not assignable to parameter of type 'never'" in report


def test_an_invalid_document_is_reported(project: Path) -> None:
    document = load_document()
    document["paths"]["/dashboard/{user_id}"]["get"]["responses"]["200"].pop("description")
    (project / "openapi.json").write_text(json.dumps(document))
    result = run_npm(project, "run", "validate")
    assert result.returncode != 0
    assert "description" in result.stderr
