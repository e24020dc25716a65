-- Concurrency: at most `quota` leases of a key at a time.
-- gateway/ratelimit/algorithms/concurrency.py is the same for one process.
--
-- A sorted set: the members are the ids of the leases, and the scores the times at which they
-- expire, in microseconds on the clock of the server. A request takes a lease (count.lua); its
-- process renews it and releases it (leases.lua), or else it expires.
--
-- Invariants.
-- - A lease that has expired never counts.
-- - No lease counts for longer than the lease time, `window`, of the rule that looks at it: one
--   that expires later is from a clock that was set back, or from a longer lease time. It is
--   shortened.
-- - The set expires with its last lease.

local concurrency = {}

local RETRY_AFTER = 1000000  -- no clock knows when a lease ends

function concurrency.load(state, now)
  local key = state.key
  redis.call('ZREMRANGEBYSCORE', key, '-inf', text(now))
  local newest = redis.call('ZRANGE', key, -1, -1, 'WITHSCORES')
  state.now, state.held = now, 0
  if newest[2] then
    state.held = redis.call('ZCARD', key)
    if tonumber(newest[2]) > now + state.window then concurrency.shorten(state) end
  end
end

function concurrency.shorten(state)
  local latest = text(state.now + state.window)
  local ids = redis.call('ZRANGEBYSCORE', state.key, '(' .. latest, '+inf')
  for _, id in ipairs(ids) do redis.call('ZADD', state.key, latest, id) end
end

function concurrency.compute_retry_after(state)
  return state.held + state.cost <= state.quota and 0 or RETRY_AFTER
end

function concurrency.charge(state)
  local added = redis.call('ZADD', state.key, text(state.now + state.window), state.lease_id)
  state.held = state.held + added
end

function concurrency.compute_remaining(state)
  return math.max(0, state.quota - state.held)
end

function concurrency.compute_reset()
  return 0
end

function concurrency.compute_ttl(state)
  return state.window
end

-- The times at which the leases expire, the earliest first.
function concurrency.dump(state)
  local entries, expiries = redis.call('ZRANGE', state.key, 0, -1, 'WITHSCORES'), {}
  for index = 2, #entries, 2 do expiries[#expiries + 1] = tonumber(entries[index]) end
  return expiries
end

algorithms.concurrency = concurrency
