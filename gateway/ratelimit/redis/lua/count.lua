-- Counts one request under all its rules: first every check, then every charge or none.
--
-- KEYS     one key per rule, each a hash.
-- ARGV[1]  the time; 0 takes the clock of the server. Then eight values per rule: algorithm, quota,
--          window, burst, cost, shadow (1: charged, never refuses), lease id (of a concurrency
--          limit), and whether the state before the decision is wanted (1).
-- Returns  the time of the decision, then five values per rule: fits (1 or 0), remaining, retry
--          after (0: it fits), reset, and the state if it is wanted.
--
-- Invariants.
-- - Nothing is charged before all rules have been checked. If one key has another type, the script
--   fails (WRONGTYPE) without a charge. A hash that another program wrote is replaced.
-- - A refused request, or one at no cost, writes nothing but the removal of what has expired.
-- - The window and the algorithm are in the key (partition.py: make_key), so that a hash never holds
--   the fields of two algorithms, nor times of another window.
-- - A key expires when its state equals a new one, if the clock of the server is not set back and
--   the quota is not lowered until then.

local VALUES = 8

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

-- Check all rules. Shadow rules never refuse.
local states, admitted = {}, true
for index, key in ipairs(KEYS) do
  local before = 1 + VALUES * (index - 1)
  local state = {
    key = key,
    algorithm = algorithms[ARGV[before + 1]],
    quota = tonumber(ARGV[before + 2]),
    window = tonumber(ARGV[before + 3]),
    burst = tonumber(ARGV[before + 4]),
    cost = tonumber(ARGV[before + 5]),
    lease_id = ARGV[before + 7],
  }
  inspect_or_reset(state)
  state.before = ARGV[before + 8] == '1' and state.algorithm.dump(state)
  if state.retry_after > 0 and ARGV[before + 6] == '0' then admitted = false end
  states[index] = state
end

-- Charge all rules, or none.
local reply = {now}
for _, state in ipairs(states) do
  if admitted and state.cost > 0 then
    state.algorithm.charge(state)
    redis.call('PEXPIRE', state.key, text(math.ceil(state.algorithm.compute_ttl(state) / 1000)))
  end
  local length = #reply
  reply[length + 1] = state.retry_after == 0 and 1 or 0
  reply[length + 2] = state.algorithm.compute_remaining(state)
  reply[length + 3] = state.retry_after
  reply[length + 4] = state.algorithm.compute_reset(state)
  reply[length + 5] = state.before
end
return reply
