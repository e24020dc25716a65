// Validates an OpenAPI document against the specification, and prints each violation.
import { createConfig, lint } from "@redocly/openapi-core";

const config = await createConfig({
  extends: ["spec"],
  rules: {
    struct: "error",
    "no-unresolved-refs": "error",
    "operation-operationId-unique": "error",
    "operation-operationId-url-safe": "error",
    "operation-parameters-unique": "error",
    "path-declaration-must-exist": "error",
    "path-parameters-defined": "error",
    "security-defined": "off", // public routes declare no security
  },
});
const problems = await lint({ ref: process.argv[2], config });
for (const { ruleId, message, location } of problems) {
  console.error(`${ruleId} ${location.map((it) => it.pointer).join(" ")}: ${message}`);
}
console.log(`${problems.length} violations`);
process.exitCode = problems.length === 0 ? 0 : 1;
