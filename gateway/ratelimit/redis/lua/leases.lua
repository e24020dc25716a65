-- Renews and releases leases of concurrency limits (concurrency.lua).
--
-- KEYS     the key of each lease; a key with several leases is there several times.
-- ARGV[1]  the time; 0 takes the clock of the server. Then two values per lease: its id, and the
--          lease time in microseconds, or 0 to release it.
-- Returns  one integer: the number of leases that were renewed although they had been lost. They
--          count again, whether they fit or not: their requests still run.
--
-- A key of another type is left alone, so that the other leases are renewed nevertheless.

local now = read_clock(ARGV[1])
local restored = 0

local function update(key, id, window)
  if window == 0 then
    redis.call('ZREM', key, id)
    return
  end
  local renewed = redis.call('ZADD', key, 'CH', text(now + window), id)
  redis.call('PEXPIRE', key, text(math.ceil(window / 1000)))
  return renewed
end

for index, key in ipairs(KEYS) do
  local id, window = ARGV[2 * index], tonumber(ARGV[2 * index + 1])
  local was_held = redis.pcall('ZSCORE', key, id)
  if type(was_held) ~= 'table' then
    update(key, id, window)
    if not was_held and window > 0 then restored = restored + 1 end
  end
end
return {restored}
