// oidc-provider with its default adapter, which keeps everything in memory.
import { generateKeyPairSync } from "node:crypto";
import Provider from "oidc-provider";

const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const key = { ...privateKey.export({ format: "jwk" }), use: "sig", alg: "ES256", kid: "bench" };

const client = {
  grant_types: ["client_credentials"],
  redirect_uris: [],
  response_types: [],
  id_token_signed_response_alg: "ES256",
};

// A token of this resource is a JWT; one of another resource is opaque, so that it can be introspected.
const JWT_RESOURCE = "https://jwt.test";

const port = Number(process.env.PORT);
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [
    { ...client, client_id: "bff", client_secret: process.env.CLIENT_SECRET },
    {
      ...client,
      client_id: "signer",
      token_endpoint_auth_method: "private_key_jwt",
      jwks: JSON.parse(process.env.CLIENT_KEYS),
    },
  ],
  enabledJWA: { idTokenSigningAlgValues: ["ES256"] },
  jwks: { keys: [key] },
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    introspection: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => JWT_RESOURCE,
      getResourceServerInfo: (_, resource) => ({
        scope: "orders:read users:read",
        audience: resource,
        accessTokenFormat: resource === JWT_RESOURCE ? "jwt" : "opaque",
        accessTokenTTL: 600,
        jwt: { sign: { alg: "ES256" } },
      }),
    },
  },
});
provider.listen(port, "127.0.0.1");
