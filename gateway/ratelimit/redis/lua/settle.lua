-- Settles charges that were reserved: gives back what a request did not use, or charges the rest.
--
-- gateway/ratelimit/algorithms holds the same for one process, and explains why what is given back
-- never lets a caller exceed its limit. tests/gateway/ratelimit/redis/test_settle.py compares them.
--
-- KEYS     one key per charge, each once.
-- ARGV[1]  the time; 0 takes the clock of the server. Then six values per charge: algorithm, quota,
--          window, burst, the time of the charge (or, if it was made without Redis, its age as a
--          number below 0), and the difference: what is charged in addition, whether it fits or
--          not, or, if it is negative, what is given back.
-- Returns  the time (first).
--
-- Nothing is settled before all keys have been loaded.

local VALUES = 6

-- Give back in the bucket of the charge, unless that has expired: the first whose last charge is not
-- before it. If clocks differ by a little, that is an older bucket, which expires sooner.
function sliding_window.give_back(state, amount)
  local key, left = state.key, amount
  if state.now >= state.reserved_at + state.window then return end
  for _, bucket in ipairs(state.closed_buckets) do
    if left > 0 and bucket.last >= state.reserved_at then
      local taken = math.min(bucket.count, left)
      redis.call('HSET', key, text(bucket.index),
        text(bucket.last) .. ' ' .. text(bucket.count - taken))
      left = left - taken
    end
  end
  if left > 0 and state.last >= state.reserved_at then
    local taken = math.min(state.count, left)
    left, state.count = left - taken, state.count - taken
  end
  if left == amount then return end
  local total = state.total - amount + left
  if total == 0 then return sliding_window.reset(state) end
  -- No charge joins an open bucket that has become empty: the next one opens another.
  redis.call('HSET', key, 't', text(total), 'k', text(state.count),
    'f', text(state.count > 0 and state.first or 0))
end

-- Give back what has not drained since the charge.
function gcra.give_back(state, amount)
  local drained = math.max(0, state.now - state.reserved_at) * state.drain
  local left = amount * state.window - drained
  if left <= 0 or state.level == 0 then return end
  local level = math.max(0, state.level - left)
  if level == 0 then return gcra.reset(state, state.now) end
  redis.call('HSET', state.key, 'a', text(state.now), 'v', text(level))
end

local now = read_clock(ARGV[1])

local function load(state)
  if state.reserved_at < 0 then state.reserved_at = now + state.reserved_at end
  state.algorithm.load(state, now)
  if state.algorithm == sliding_window then
    state.closed_buckets = sliding_window.load_closed_buckets(state)
  end
end

local function settle(state)
  if state.cost < 0 then
    state.algorithm.give_back(state, -state.cost)
  else
    state.algorithm.charge(state)
    redis.call('PEXPIRE', state.key, text(math.ceil(state.algorithm.compute_ttl(state) / 1000)))
  end
end

local states = {}
for index, key in ipairs(KEYS) do
  local before = 1 + VALUES * (index - 1)
  local state = {
    key = key,
    position = index,
    algorithm = algorithms[ARGV[before + 1]],
    quota = tonumber(ARGV[before + 2]),
    window = tonumber(ARGV[before + 3]),
    burst = tonumber(ARGV[before + 4]),
    reserved_at = tonumber(ARGV[before + 5]),
    cost = tonumber(ARGV[before + 6]),
  }
  run_or_reset(load, state)
  states[index] = state
end
for _, state in ipairs(states) do settle(state) end
return {first(now)}
