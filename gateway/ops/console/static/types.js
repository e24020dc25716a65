// The documents of the ops API, as this page reads them.

/**
 * @typedef {object} Values What a policy admits.
 * @property {string | null} rate `10/second, 120/minute`
 * @property {number | null} limit Requests at the same time, of a concurrency limit.
 * @property {number | null} burst
 * @property {boolean} shadow
 * @property {string} per
 * @property {Record<string, string | number> | null} tiers
 * @property {string | null} tier_claim
 * @property {string} without_redis
 * @property {number | null} prefetch
 * @property {number | string} cost
 */

/**
 * @typedef {object} Override What one key gets instead.
 * @property {string} key
 * @property {string | null} caller
 * @property {string} kind
 * @property {string | null} [rate]
 * @property {number | null} [limit]
 * @property {number | null} [times]
 * @property {string | null} until
 * @property {string | null} reason
 */

/** @typedef {Record<string, any>} LiveDocument The live values of a policy; an absent field is that of the settings or the code. */

/**
 * @typedef {object} Limit A policy.
 * @property {string} name
 * @property {"rate" | "concurrency"} kind
 * @property {number} version
 * @property {"code" | "settings" | "live"} source
 * @property {Values} in_force
 * @property {Values} declared
 * @property {Partial<Values> | null} settings
 * @property {LiveDocument | null} live
 * @property {{at: string, by: string, reason: string} | null} changed
 * @property {Override[]} overrides
 * @property {string | null} fault
 */

/** @typedef {{key: string, caller: string | null, allowed: number, refused: number}} TopKey */

/**
 * @typedef {object} Usage Requests of a policy in each second.
 * @property {number} from Unix time of the first second.
 * @property {number} step
 * @property {number[]} allowed
 * @property {number[]} refused
 * @property {number[]} shadow_refused
 * @property {TopKey[]} top_keys
 * @property {string | null} fault Why nothing is known of the traffic.
 */

/** @typedef {{allowed: number, refused: number, shadow_refused: number}} Rates Requests per second. */

/**
 * @typedef {object} UsageNow The rates of all policies.
 * @property {Record<string, Rates>} policies
 * @property {string | null} fault Why nothing is known of the traffic.
 */

/**
 * @typedef {object} Effect What a simulation found.
 * @property {boolean} reproduced
 * @property {{from: string | number | null, to: string | number | null, seconds: number, requests: number, keys: number | null, processes: string[], left_out: Record<string, number>}} covers
 * @property {string} accuracy
 * @property {boolean} restarts_counts
 * @property {{requests: number, newly_refused: number, newly_admitted: number, refused_before: number, refused_after: number, shadow_refused: number}} effect
 * @property {{key: string, caller: string | null, newly_refused: number, newly_admitted: number, requests: number}[]} keys
 */

/**
 * @typedef {object} Entry One change in the history of a policy.
 * @property {number} seq
 * @property {number | null} version Of a reset of a key, there is none.
 * @property {string | null} key The key that was reset.
 * @property {string | null} caller Its caller, if that was known.
 * @property {string} at
 * @property {string} by
 * @property {string} action
 * @property {string | null} reason
 * @property {LiveDocument | null} from
 * @property {LiveDocument | null} to
 */

/**
 * @typedef {object} Caller One key, as a policy sees it now.
 * @property {string} key
 * @property {string | null} caller
 * @property {{label: string, quota: number, burst: number | null, window_seconds: number, remaining: number, reset_seconds: number, retry_after_seconds: number}[]} rules
 * @property {Override | null} override
 * @property {boolean} limited
 * @property {string} why
 */

/**
 * @typedef {object} Context What all parts of the page share.
 * @property {import("./api.js").Api} api
 * @property {() => void} refresh Read everything again, now.
 * @property {boolean} isLost The ops app does not respond.
 * @property {boolean} isRedisLost Redis should count, and does not.
 * @property {number} issuers How many identity providers are trusted.
 */

/**
 * @typedef {object} Status The state of all that the gateway needs.
 * @property {Record<string, string | number>} redis
 * @property {Record<string, string | number>} database
 * @property {{issuer: string, state: string}[]} providers
 * @property {{name: string, state: string}[]} services
 * @property {{name: string, started_at: string, last_seen_seconds: number}[]} processes
 * @property {Effect["covers"] | null} recording
 */

export {};
