-- Opens the epoch of the counts: the time since which this Redis has kept all of them. A process
-- runs it on each new connection, before its first check.
--
-- KEYS[1]  the key of the epoch, a hash.
-- ARGV[1]  the time; 0 takes the clock of the server. Then the id of the epoch in which the process
--          has counted ("": none yet), the id to give to a new epoch, and the time for which all
--          processes wait in a new epoch, in microseconds.
-- Returns  the id of the epoch (first); the time until which Redis has kept the counts of the epoch
--          before (0: it was empty); the time left to wait; the time now. All in microseconds.
--
-- Fields.
--   id     the id of the epoch
--   run    the run of the server in which it began
--   beat   a time at which a process was connected: counts up to then are as old as this field
--   since  the beat of the epoch before, as this server had read it from disk
--   wait   the time until which all processes wait for each other's counts
--
-- A new epoch begins when the key is gone (the server is empty), or when the server has been started
-- again (it has read counts from disk that may be old). So it does when another program has written the
-- key; what Redis still has counts twice then. A process that has counted in another epoch
-- has something to restore, and the others wait for it.

local now = read_clock(ARGV[1])

-- A user without the permission for INFO does not notice a restart with old data.
local info = redis.pcall('INFO', 'server')
local run = type(info) == 'string' and string.match(info, 'run_id:(%x+)') or ''

local key, known, new, wait = KEYS[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local epoch = {key = key, position = 1}

local function load(epoch)
  local stored = redis.call('HMGET', key, 'id', 'run', 'beat', 'since', 'wait')
  epoch.id, epoch.run = stored[1], stored[2]
  epoch.beat, epoch.since, epoch.wait = number(stored[3]), number(stored[4]), number(stored[5])
  check_time(math.max(epoch.beat, epoch.since, epoch.wait), now, wait)
end

run_or_reset(load, epoch)
if not epoch.id or epoch.run ~= run then
  epoch.id, epoch.since, epoch.wait = new, epoch.beat, 0
end
if known ~= '' and known ~= epoch.id and epoch.wait == 0 then epoch.wait = now + wait end

redis.call('HSET', key, 'id', epoch.id, 'run', run, 'beat', text(now),
  'since', text(epoch.since), 'wait', text(epoch.wait))
-- No longer than `wait`: the clock may have been set back.
local left = math.max(0, math.min(epoch.wait - now, wait))
return {first(epoch.id), epoch.since, left, now}
