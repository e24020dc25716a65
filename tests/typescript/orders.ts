import type { operations } from "./gateway";

type Responses = operations["create_order"]["responses"];
type Conflict = Responses[409]["content"]["application/problem+json"];
type Unprocessable = Responses[422]["content"]["application/problem+json"];

/** Tell the customer why the order was refused. A problem type without a case does not compile. */
export function describeRefusal(problem: Conflict | Unprocessable): string {
  switch (problem.type) {
    case "https://acme.example/problems/price-changed":
      return `The price is now ${problem.current_price}.`;
    case "https://acme.example/problems/address-unknown":
      return `We do not deliver to ${problem.address.city}.`;
    case "urn:lockgate:problem:invalid-request":
      return problem.errors.map((error) => `${error.field}: ${error.message}`).join("\n");
    case "about:blank":
      return "This order is not possible.";
    default:
      return refuse(problem);
  }
}

/** The status of a declared problem is a constant as well. */
export function getStatus(problem: Conflict): 409 {
  return problem.status;
}

function refuse(value: never): never {
  throw new Error(`unexpected value: ${JSON.stringify(value)}`);
}
