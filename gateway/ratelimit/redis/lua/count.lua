-- Counts one request under all its rules: first every check, then every charge or none.
--
-- KEYS     one key per rule: a hash, or of a concurrency limit a sorted set. Then the key of the
--          epoch, if ARGV[2] is one.
-- ARGV[1]  the time; 0 takes the clock of the server.
-- ARGV[2]  the epoch in which the process counts (epoch.lua), or "": any. The script fails (EPOCH)
--          in another one, without a charge: the server has lost counts.
--          Then eight values per rule: algorithm, quota, window, burst, cost, the name of a shadow
--          policy or "", the id of the lease (of a concurrency limit) or the number of further
--          requests to grant in advance, and whether the state before the decision is wanted (1).
-- Returns  the time of the decision (first), then five values per rule: fits (0, or 1 and the number of
--          further requests granted), remaining (with those), retry after (0: it fits), reset, and
--          the state if it is wanted.
--
-- Invariants.
-- - Nothing is charged before all rules have been checked. A key that another program wrote is
--   replaced then.
-- - A refused request, or one at no cost, writes nothing but the removal of what has expired.
-- - The window and the algorithm are in the key (partition.py: make_key), so that a hash never holds
--   the fields of two algorithms, nor times of another window.
-- - A key expires when its state equals a new one, if the clock of the server is not set back.

local VALUES = 8

local rules = #KEYS
if ARGV[2] ~= '' then
  rules = rules - 1
  if redis.pcall('HGET', KEYS[#KEYS], 'id') ~= ARGV[2] then
    return redis.error_reply('EPOCH these counts are not of this epoch')
  end
end

local now = read_clock(ARGV[1])

-- Load the state of a key, and compute the time until the cost fits.
local function inspect(state)
  state.algorithm.load(state, now)
  state.retry_after = state.algorithm.compute_retry_after(state)
  state.before = state.is_wanted and state.algorithm.dump(state)
end

-- Check all rules. Shadow rules never refuse.
local states, admitted, refusing = {}, true, {}
for index = 1, rules do
  local key, before = KEYS[index], 2 + VALUES * (index - 1)
  local state = {
    key = key,
    position = index,
    algorithm = algorithms[ARGV[before + 1]],
    quota = tonumber(ARGV[before + 2]),
    window = tonumber(ARGV[before + 3]),
    burst = tonumber(ARGV[before + 4]),
    cost = tonumber(ARGV[before + 5]),
    lease_id = ARGV[before + 7],
    prefetch = tonumber(ARGV[before + 7]) or 0,
    is_wanted = ARGV[before + 8] == '1',
  }
  run_or_reset(inspect, state)
  state.shadow_policy = ARGV[before + 6]
  if state.retry_after > 0 then
    if state.shadow_policy == '' then admitted = false end
    refusing[state.shadow_policy] = true
  end
  states[index] = state
end

-- Return how many further requests can be granted: as many as all rules have left.
local function count_granted()
  local granted
  for _, state in ipairs(states) do
    local wanted = state.algorithm ~= algorithms.concurrency and state.prefetch or 0
    if wanted == 0 then return 0 end
    local left = math.floor(state.algorithm.compute_remaining(state) / state.cost) - 1
    granted = math.max(0, math.min(granted or wanted, wanted, left))
  end
  return granted or 0
end

-- Charge all rules, or none. A shadow policy is not charged what it would have refused.
local reply = {first(now)}
local granted = admitted and count_granted() or 0
for _, state in ipairs(states) do
  local advance = granted * state.cost
  if admitted and state.cost > 0 and not refusing[state.shadow_policy] then
    state.cost = state.cost + advance
    state.algorithm.charge(state)
    redis.call('PEXPIRE', state.key, text(math.ceil(state.algorithm.compute_ttl(state) / 1000)))
  end
  local length = #reply
  reply[length + 1] = state.retry_after == 0 and 1 + granted or 0
  reply[length + 2] = state.algorithm.compute_remaining(state) + advance
  reply[length + 3] = state.retry_after
  reply[length + 4] = state.algorithm.compute_reset(state)
  reply[length + 5] = state.before
end
return reply
