// Shows the OpenAPI document with Swagger UI. In a file, because the CSP allows no inline script.
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  displayRequestDuration: true,
  validatorUrl: null, // by default, a service outside is asked whether the document is valid
});
