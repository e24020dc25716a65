// The ops API. The token is kept in this module's memory and nowhere else: no cookie, no
// storage, no URL.

const TIMEOUT_MS = 15_000;

/** Recordings are gathered for 15 s at most, and a simulation takes 60 s at most. */
export const SIMULATION_TIMEOUT_MS = 80_000;

/** An error response: a problem document (RFC 9457). */
export class Problem extends Error {
  /** @param {number} status @param {Record<string, any>} body */
  constructor(status, body) {
    const fields = listFields(body).map(({ field, message }) => (field ? `${field}: ${message}` : message));
    const detail = fields.join("; ") || String(body.detail || body.title || `The ops app responded with ${status}.`);
    super(status === 403 ? `${detail} Reading needs the scope limits:read, a change limits:write.` : detail);
    this.status = status;
    this.body = body;
  }

  /** The fields of the body that are not valid. @returns {{field: string, message: string}[]} */
  get fields() {
    return listFields(this.body);
  }
}

/** @param {Record<string, any>} body @returns {{field: string, message: string}[]} */
function listFields(body) {
  return Array.isArray(body.errors) ? body.errors : [];
}

/** The ops app did not respond. */
export class Unreachable extends Error {}

export class Api {
  #token = "";
  /** @type {Promise<void> | null} */
  #asking = null;
  #askForToken;

  /** @param {(isRefused: boolean) => Promise<string>} askForToken Resolves with a pasted token. */
  constructor(askForToken) {
    this.#askForToken = askForToken;
  }

  /** The subject, the end and the scopes of the token, if it is a JWT: for display only. */
  get identity() {
    try {
      const claims = this.#token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
      const bytes = Uint8Array.from(atob(claims), (it) => it.charCodeAt(0));
      const { sub, exp, scope } = JSON.parse(new TextDecoder().decode(bytes));
      const scopes = typeof scope === "string" ? scope.split(" ") : [];
      return { subject: String(sub ?? ""), expires: Number(exp) || null, isReadOnly: scopes.includes("limits:read") && !scopes.includes("limits:write") };
    } catch {
      return { subject: "", expires: null, isReadOnly: false };
    }
  }

  /** Ask for another token at the next request. */
  forgetToken() {
    this.#token = "";
  }

  /**
   * Read a document.
   * @param {string} path
   * @param {AbortSignal} [signal]
   * @returns {Promise<any>}
   */
  async get(path, signal) {
    return read(await this.#fetch(path, { headers: {}, signal }));
  }

  /**
   * Send a request with a JSON body.
   * @param {string} method
   * @param {string} path
   * @param {unknown} [body]
   * @param {{version?: number, signal?: AbortSignal, timeout?: number}} [options] `version` is sent as `If-Match`.
   * @returns {Promise<any>}
   */
  async send(method, path, body, { version, signal, timeout } = {}) {
    /** @type {Record<string, string>} */
    const headers = {};
    if (body !== undefined) headers["Content-Type"] = "application/json";
    if (version !== undefined) headers["If-Match"] = `"${version}"`;
    const text = body === undefined ? undefined : JSON.stringify(body);
    return read(await this.#fetch(path, { method, headers, body: text, signal, timeout }));
  }

  /**
   * Fetch a path. Without a valid token, ask for one and try again.
   * @param {string} path
   * @param {{method?: string, headers: Record<string, string>, body?: string, signal?: AbortSignal, timeout?: number}} options
   */
  async #fetch(path, options) {
    let isRefused = false;
    for (;;) {
      if (isRefused || !this.#token) await this.#renewToken(isRefused);
      const token = this.#token;
      const response = await fetchOnce(path, options, token);
      if (response.status !== 401) return response;
      isRefused = token === this.#token;
    }
  }

  /** Ask once, however many requests wait for a token. @param {boolean} isRefused */
  #renewToken(isRefused) {
    this.#asking ??= this.#askForToken(isRefused).then((token) => {
      this.#token = token;
      this.#asking = null;
    });
    return this.#asking;
  }
}

/**
 * @param {string} path
 * @param {{method?: string, headers: Record<string, string>, body?: string, signal?: AbortSignal, timeout?: number}} options
 * @param {string} token
 */
async function fetchOnce(path, { signal, timeout = TIMEOUT_MS, ...options }, token) {
  const end = AbortSignal.timeout(timeout);
  const headers = { ...options.headers, Authorization: `Bearer ${token}` };
  try {
    return await fetch(path, {
      ...options,
      headers,
      signal: signal ? AbortSignal.any([signal, end]) : end,
      credentials: "omit",
      cache: "no-store",
      redirect: "error",
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Unreachable("The ops app does not respond.");
  }
}

/** @param {Response} response */
async function read(response) {
  if (!response.ok) throw await readProblem(response);
  return response.status === 204 ? null : response.json();
}

/** @param {Response} response */
async function readProblem(response) {
  const body = await response.json().catch(() => ({}));
  return new Problem(response.status, body);
}
