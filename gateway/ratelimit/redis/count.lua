-- Counts one request under all its policies: first every check, then every charge or none.
--
-- gateway/ratelimit/algorithms/sliding_window.py and gcra.py hold the same algorithms for one
-- process, and explain why they never admit too much. tests/gateway/ratelimit/redis/test_script.py
-- is the differential test that checks that both decide alike.
--
-- KEYS     one key per policy, each a hash.
-- ARGV[1]  the time; 0 takes the clock of the server. Then five numbers per policy:
--          quota, window, cost, burst (0: sliding window), shadow (1: charged, never refuses).
-- Returns  four integers per policy: fits (1 or 0), remaining, retry after (0: it fits), reset.
--
-- All times are in microseconds. Numbers in Lua are doubles, exact below 2^53 (9e15). The largest
-- one here is burst * window: bursts above 100,000 with a window of a day would be rounded. A level
-- that is converted to another window can be rounded by one unit, a millionth of a request at most.
--
-- Fields of a sliding window. A bucket is the time of its last charge and its count. The newest
-- bucket is open: charges may join it. The older ones are closed and never change.
--   h, n     index of the oldest closed bucket, and the number of closed buckets
--   <index>  a closed bucket, "<last> <count>", for each index from h to h + n - 1
--   f, l, k  the open bucket: time of its first charge, time of its last charge, count
--   t        the total of all counts
-- Fields of a GCRA bucket.
--   a        the time of the last charge
--   v        the level at that time: one request adds `window`, each microsecond drains `quota`
--   w        the window that the level is expressed in
--
-- Invariants.
-- - t is k plus the counts of the closed buckets. k is 0 only if n and t are.
-- - From h on, the times of the buckets never decrease; l is the latest. Times never run back: a
--   `now` before the last charge counts as the time of the last charge.
-- - A bucket is dropped only when its last charge is a whole window old.
-- - Nothing is charged before all policies have been checked. If one key has another type, the
--   script fails (WRONGTYPE) without a charge. A hash that another program wrote is replaced.
-- - A refused request, or one at no cost, writes nothing but the removal of expired buckets.
-- - The key of a sliding window and the key of a GCRA bucket differ (partition.py: make_key), so
--   a hash never holds the fields of both.
-- - A key expires when its state equals a new one, if the clock of the server is not set back and
--   the policy is not changed until then.

local BUCKETS = 60
local MAX_CLOCK_CHANGE = 86400 * 1000000

-- Format a whole number. Lua writes large ones as 1.7e+15 by default.
local function text(number)
  return string.format('%.0f', number)
end

-- Parse a stored number: a whole one of at least 0 that a double holds exactly, 0 if it is absent.
-- Anything else was written by another program.
local function number(value)
  local parsed = tonumber(value or 0)
  if not parsed or parsed < 0 or parsed > 2^53 or parsed ~= math.floor(parsed) then
    error('FOREIGN')
  end
  return parsed
end

-- Refuse a stored time that lies so far ahead that no clock that was set back explains it.
local function check_time(time, now, window)
  if time > now + window + MAX_CLOCK_CHANGE then error('FOREIGN') end
end

local sliding_window = {}

function sliding_window.load(state, now)
  local key = state.key
  local stored = redis.call('HMGET', key, 'h', 'n', 't', 'f', 'l', 'k')
  state.head, state.closed = number(stored[1]), number(stored[2])
  state.total, state.first = number(stored[3]), number(stored[4])
  state.last, state.count = number(stored[5]), number(stored[6])
  check_time(state.last, now, state.window)
  state.now = math.max(now, state.last)
  sliding_window.drop_expired(state)
end

function sliding_window.load_bucket(state, index)
  local stored = redis.call('HGET', state.key, text(index))
  local last, count = string.match(stored or '', '^(%d+) (%d+)$')
  if not last then error('FOREIGN') end
  return number(last), number(count)
end

-- Drop the buckets whose last charge is a whole window old, and set `state.oldest` to the time of
-- the oldest bucket left. The open bucket can expire only when no closed one is left; it is
-- emptied in `state` alone, and the next charge writes that.
function sliding_window.drop_expired(state)
  local horizon, expired = state.now - state.window, {}
  while state.closed > 0 do
    local last, count = sliding_window.load_bucket(state, state.head)
    state.oldest = last
    if last > horizon then break end
    expired[#expired + 1] = text(state.head)
    state.head, state.closed = state.head + 1, state.closed - 1
    state.total = number(state.total - count)
  end
  if state.closed == 0 then
    state.oldest = state.last
    if state.last <= horizon then state.count, state.total = 0, 0 end
  end
  if #expired > 0 then
    redis.call('HDEL', state.key, unpack(expired))
    redis.call('HSET', state.key, 'h', text(state.head), 'n', text(state.closed),
      't', text(state.total), 'k', text(state.count))
  end
end

function sliding_window.compute_retry_after(state)
  local excess = state.total + state.cost - state.quota
  -- It fits.
  if excess <= 0 then return 0 end
  -- It waits for the oldest buckets: it fits once those that hold the excess have expired.
  for index = state.head, state.head + state.closed - 1 do
    local last, count = sliding_window.load_bucket(state, index)
    excess = excess - count
    if excess <= 0 then return last + state.window - state.now end
  end
  if excess <= state.count then return state.last + state.window - state.now end
  -- It never fits: the cost is above the quota, even of an empty window.
  return state.window
end

-- A charge joins the open bucket if that is younger than a sixtieth of the window. Up to a quota
-- of BUCKETS each charge gets its own bucket, as long as there are few: a shadow policy is charged
-- beyond its quota, and must not grow without bound.
function sliding_window.joins_open_bucket(state)
  local buckets = state.closed + (state.count > 0 and 1 or 0)
  local is_exact = state.quota <= BUCKETS and buckets < BUCKETS
  return not is_exact and buckets > 0
    and state.now < state.first + math.floor(state.window / BUCKETS)
end

function sliding_window.charge(state)
  local key = state.key
  if sliding_window.joins_open_bucket(state) then
    state.count = state.count + state.cost
  else
    if state.count > 0 then
      redis.call('HSET', key, text(state.head + state.closed),
        text(state.last) .. ' ' .. text(state.count))
      state.closed = state.closed + 1
    end
    state.first, state.count = state.now, state.cost
  end
  state.last, state.total = state.now, state.total + state.cost
  if state.closed == 0 then state.oldest = state.now end
  redis.call('HSET', key, 'h', text(state.head), 'n', text(state.closed),
    't', text(state.total), 'f', text(state.first), 'l', text(state.last),
    'k', text(state.count))
end

function sliding_window.compute_remaining(state)
  return math.max(0, state.quota - state.total)
end

function sliding_window.compute_reset(state)
  if state.total == 0 then return 0 end
  return state.oldest + state.window - state.now
end

function sliding_window.compute_ttl(state)
  return state.window
end

local gcra = {}

-- A changed window keeps the number of requests in the level, not the time they take to drain.
function gcra.load(state, now)
  local stored = redis.call('HMGET', state.key, 'a', 'v', 'w')
  local charged_at, level, window = number(stored[1]), number(stored[2]), number(stored[3])
  check_time(charged_at, now, state.window)
  if window > 0 and window ~= state.window then
    level = math.floor(level * state.window / window)
  end
  state.now = math.max(now, charged_at)
  state.level = math.max(0, level - (state.now - charged_at) * state.quota)
  -- A level that takes a day longer to drain than a full bucket was not charged by this script.
  check_time(state.level / state.quota, state.burst * state.window / state.quota, 0)
end

function gcra.compute_retry_after(state)
  local excess = state.level + (state.cost - state.burst) * state.window
  -- It fits.
  if excess <= 0 then return 0 end
  -- It never fits: the cost is above the burst, even of an empty bucket.
  if state.cost > state.burst then return state.window end
  -- It waits until the excess has drained.
  return math.ceil(excess / state.quota)
end

function gcra.charge(state)
  state.level = state.level + state.cost * state.window
  redis.call('HSET', state.key, 'a', text(state.now), 'v', text(state.level),
    'w', text(state.window))
end

function gcra.compute_remaining(state)
  return math.max(0, state.burst - math.ceil(state.level / state.window))
end

function gcra.compute_reset(state)
  if state.level == 0 then return 0 end
  local used = math.min(math.ceil(state.level / state.window), state.burst)
  return math.ceil((state.level - (used - 1) * state.window) / state.quota)
end

function gcra.compute_ttl(state)
  return state.level / state.quota
end

local now = tonumber(ARGV[1])
if now == 0 then
  local time = redis.call('TIME')
  now = tonumber(time[1]) * 1000000 + tonumber(time[2])
end

-- Load the state of a key, and compute the time until the cost fits. A hash with fields that this
-- script has not written is deleted, and counts as empty.
local function inspect(state)
  state.algorithm.load(state, now)
  state.retry_after = state.algorithm.compute_retry_after(state)
end

local function inspect_or_reset(state)
  local ok, failure = pcall(inspect, state)
  if ok then return end
  -- Redis 7 raises the errors of `redis.call` as tables, and Redis 6.2 as strings.
  local message = type(failure) == 'table' and failure.err or tostring(failure)
  if not string.find(message, 'FOREIGN', 1, true) then error(failure, 0) end
  redis.call('DEL', state.key)
  inspect(state)
end

-- Check all policies. Shadow policies never refuse.
local states, admitted = {}, true
for index, key in ipairs(KEYS) do
  local first = 5 * index - 3
  local state = {
    key = key,
    quota = tonumber(ARGV[first]),
    window = tonumber(ARGV[first + 1]),
    cost = tonumber(ARGV[first + 2]),
    burst = tonumber(ARGV[first + 3]),
  }
  state.algorithm = state.burst > 0 and gcra or sliding_window
  inspect_or_reset(state)
  if state.retry_after > 0 and ARGV[first + 4] == '0' then admitted = false end
  states[index] = state
end

-- Charge all policies, or none.
local reply = {}
for index, state in ipairs(states) do
  if admitted and state.cost > 0 then
    state.algorithm.charge(state)
    redis.call('PEXPIRE', state.key, text(math.ceil(state.algorithm.compute_ttl(state) / 1000)))
  end
  local first = 4 * index - 3
  reply[first] = state.retry_after == 0 and 1 or 0
  reply[first + 1] = state.algorithm.compute_remaining(state)
  reply[first + 2] = state.retry_after
  reply[first + 3] = state.algorithm.compute_reset(state)
end
return reply
