-- Renews and releases leases of concurrency limits (concurrency.lua).
--
-- KEYS     the key of each lease; a key with several leases is there several times.
-- ARGV[1]  the time; 0 takes the clock of the server. Then two values per lease: its id, and the
--          lease time in microseconds, or 0 to release it.
-- Returns  the time (first).
--
-- A lease that had been lost counts again, whether it fits or not: its request still runs.

local now = read_clock(ARGV[1])

local function update(state)
  if state.window == 0 then
    redis.call('ZREM', state.key, state.lease_id)
    return
  end
  concurrency.load(state, now)
  concurrency.charge(state)
  redis.call('PEXPIRE', state.key, text(math.ceil(concurrency.compute_ttl(state) / 1000)))
end

for index, key in ipairs(KEYS) do
  local id, window = ARGV[2 * index], tonumber(ARGV[2 * index + 1])
  run_or_reset(update, {key = key, position = index, window = window, lease_id = id})
end
return {first(now)}
