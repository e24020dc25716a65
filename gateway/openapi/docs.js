// Shows the OpenAPI document with Swagger UI. In a file, because the CSP allows no inline script.

// Whether the operation that is tried out ends with a parameter of several segments: `/files/{path}`.
let hasRest = false;

const findRest = (execute) => (request) => {
  hasRest = Boolean(request.operation.getIn(["x-lockgate-proxy", "rest"]));
  return execute(request);
};

// Swagger UI escapes the slashes of that parameter, which is the last segment then.
const keepSlashes = (request) => {
  if (hasRest && !request.loadSpec) {
    const [path, ...query] = request.url.split("?");
    const start = path.lastIndexOf("/");
    const rest = path.slice(start).replaceAll("%2F", "/");
    request.url = [path.slice(0, start) + rest, ...query].join("?");
  }
  return request;
};

SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  displayRequestDuration: true,
  validatorUrl: null, // by default, a service outside is asked whether the document is valid
  plugins: [() => ({ statePlugins: { spec: { wrapActions: { executeRequest: findRest } } } })],
  requestInterceptor: keepSlashes,
});
