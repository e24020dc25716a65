-- GCRA: a steady rate with bursts, calculated as a leaky bucket.
-- gateway/ratelimit/algorithms/gcra.py is the same for one process.
--
-- Fields.
--   a  the time of the last charge
--   v  the level at that time: one request adds `window`, each microsecond drains `quota`
--   q  the quota at that time; a larger one drains the level at once, a smaller one from the next
--      charge on

local gcra = {}

function gcra.load(state, now)
  local stored = redis.call('HMGET', state.key, 'a', 'v', 'q')
  state.charged_at, state.stored_level = number(stored[1]), number(stored[2])
  check_time(state.charged_at, now, state.window)
  state.now = math.max(now, state.charged_at)
  state.stored_quota = number(stored[3])
  state.drain = math.max(state.quota, state.stored_quota)
  local drained = (state.now - state.charged_at) * state.drain
  state.level = math.max(0, state.stored_level - drained)
  -- A level that takes a day longer to drain than a full bucket was not charged by this script.
  check_time(state.level / state.drain, state.burst * state.window / state.quota, 0)
  if state.level == 0 and state.charged_at > 0 then gcra.reset(state, now) end
end

-- Delete the key of an empty bucket, so that a clock that is set back later does not fill it again.
function gcra.reset(state, now)
  redis.call('DEL', state.key)
  state.now, state.charged_at, state.stored_level, state.stored_quota = now, 0, 0, 0
  state.drain = state.quota
end

function gcra.compute_retry_after(state)
  local excess = state.level + (state.cost - state.burst) * state.window
  -- It fits.
  if excess <= 0 then return 0 end
  -- It never fits: the cost is above the burst, even of an empty bucket.
  if state.cost > state.burst then return state.window end
  -- It waits until the excess has drained.
  return math.ceil(excess / state.drain)
end

function gcra.charge(state)
  state.level = state.level + state.cost * state.window
  state.drain = state.quota
  redis.call('HSET', state.key, 'a', text(state.now), 'v', text(state.level),
    'q', text(state.quota))
end

function gcra.compute_remaining(state)
  return math.max(0, state.burst - math.ceil(state.level / state.window))
end

function gcra.compute_reset(state)
  if state.level == 0 then return 0 end
  local used = math.min(math.ceil(state.level / state.window), state.burst)
  return math.ceil((state.level - (used - 1) * state.window) / state.drain)
end

function gcra.compute_ttl(state)
  return state.level / state.quota
end

function gcra.dump(state)
  if state.level == 0 then return {0, 0, 0} end
  return {state.charged_at, state.stored_level, state.stored_quota}
end

algorithms.gcra = gcra
