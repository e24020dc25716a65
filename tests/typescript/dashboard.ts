import type { components, operations } from "./gateway";

type Schemas = components["schemas"];
type Dashboard = Schemas["Dashboard"];

/** The problems that one operation can respond with. */
type ProblemOf<Operation extends { responses: object }> = {
  [Status in keyof Operation["responses"]]: Operation["responses"][Status] extends {
    content: { "application/problem+json": infer Problem };
  }
    ? Problem
    : never;
}[keyof Operation["responses"]];

/** The problems of all operations. */
type Problem = { [Name in keyof operations]: ProblemOf<operations[Name]> }[keyof operations];

/** The optional parts of all composites. */
type Degraded = Schemas[Extract<keyof Schemas, `${string}Degraded`>];

export class ProblemError extends Error {
  constructor(readonly problem: ProblemOf<operations["get_dashboard"]>) {
    super(problem.detail);
  }
}

export async function getDashboard(origin: string, userId: number, token: string): Promise<Dashboard> {
  const response = await fetch(`${origin}/dashboard/${userId}`, {
    headers: { Authorization: `Bearer ${token}` },
  });
  const body: unknown = await response.json();
  if (response.ok) {
    return body as Dashboard;
  }
  throw new ProblemError(body as ProblemOf<operations["get_dashboard"]>);
}

/** Tell the user what to do. A problem type without a case does not compile. */
export function describeProblem(problem: Problem): string {
  switch (problem.type) {
    case "urn:lockgate:problem:unauthenticated":
      return "Your session has expired. Sign in again.";
    case "urn:lockgate:problem:forbidden":
      return `You need one of these permissions: ${problem["required-scopes"].join(", ")}.`;
    case "urn:lockgate:problem:invalid-request":
      return problem.errors.map((error) => `${error.field}: ${error.message}`).join("\n");
    case "https://iana.org/assignments/http-problem-types#quota-exceeded":
      return `Slow down (${problem["violated-policies"].join(", ")}).`;
    case "urn:lockgate:problem:wrong-service":
      return `This token is for ${problem["token-services"].join(", ")} alone.`;
    case "urn:lockgate:problem:too-many-streams":
      return "You have too many open streams. Close one, and try again.";
    case "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity":
    case "urn:lockgate:problem:identity-unavailable":
      return "The site is busy. Try again in a moment.";
    case "urn:lockgate:problem:upstream-timeout":
    case "urn:lockgate:problem:upstream-unavailable":
      return `${problem.service} is not available. Try again in a moment.`;
    case "urn:lockgate:problem:upstream-refused":
    case "urn:lockgate:problem:upstream-invalid":
    case "urn:lockgate:problem:internal-error":
      return `Something went wrong. Quote ${problem.instance} when you report it.`;
    case "urn:lockgate:problem:content-too-large":
    case "urn:lockgate:problem:unsupported-content-coding":
      return "The gateway does not accept this request.";
    case "about:blank":
      return `${problem.status} ${problem.title}`;
    default:
      return refuse(problem);
  }
}

/** Name a part of the screen that is missing. A part without a case does not compile. */
export function describePart(degraded: Degraded): string {
  switch (degraded.part) {
    case "orders":
      return "your orders";
    case "notifications":
      return "your notifications";
    case "recommendations":
      return "recommendations for you";
    case "customer":
      return "your account";
    default:
      return refuse(degraded);
  }
}

/** Say why it is missing. A reason without a case does not compile. */
export function describeReason(degraded: Degraded): string {
  switch (degraded.reason) {
    case "timeout":
    case "unavailable":
      return "is not available at the moment";
    case "refused":
    case "invalid":
    case "error":
      return "could not be loaded";
    default:
      return refuse(degraded.reason);
  }
}

function refuse(value: never): never {
  throw new Error(`unexpected value: ${JSON.stringify(value)}`);
}
