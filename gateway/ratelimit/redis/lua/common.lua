-- The script that counts one request under all its rules. script.py joins the files of this folder:
-- common.lua, one file per algorithm, and count.lua, which checks all rules and then charges all of
-- them or none.
--
-- gateway/ratelimit/algorithms holds the same algorithms for one process, and explains why they
-- never admit too much. tests/gateway/ratelimit/redis/test_script.py is the differential test that
-- checks that both decide alike.
--
-- All times are in microseconds. Numbers in Lua are doubles, exact up to 2^53 (9.0e15). The largest
-- stored one is the level of a leaky bucket, at most MAX_LEVEL. No burst fills more than half of that
-- (rule.py: compute_largest_burst). A product may be rounded only where it exceeds both.
--
-- A reply begins with one value. If the script has replaced keys that another program had written,
-- that is a list: the value, and the positions of these keys in KEYS (replaced_keys.py).
--
-- An algorithm is a table of functions of a `state`, which begins with the key, its position in KEYS
-- and the numbers of its rule:
--   load                  read the key at `now`, and set `state.now` to it, or to the last charge if
--                         that is later: times never run back
--   compute_retry_after   the time until the cost fits; 0 if it does
--   charge                add the cost, whether it fits or not
--   compute_remaining, compute_reset, compute_ttl
--   dump                  the state as whole numbers, in the form of `dump` of the algorithm in
--                         gateway/ratelimit/algorithms; that of a new state if it equals one

local MAX_CLOCK_CHANGE = 86400 * 1000000
local MAX_LEVEL = 99999 * 86400 * 1000000

local algorithms = {}
local replaced = {}

-- Format a whole number. Lua writes large ones as 1.7e+15 by default.
local function text(number)
  return string.format('%.0f', number)
end

-- Return the time of ARGV[1]; 0 takes the clock of the server.
local function read_clock(given)
  if given ~= '0' then return tonumber(given) end
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000000 + tonumber(time[2])
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

-- Return whether a function has failed with this word.
local function is_failure(failure, word)
  -- Redis 7 raises the errors of `redis.call` as tables, and Redis 6.2 as strings.
  local message = type(failure) == 'table' and failure.err or tostring(failure)
  return string.find(message, word, 1, true)
end

-- Call a function of a state. A key of another type, or with a value that these scripts have not
-- written, is deleted, and counts as empty.
local function run_or_reset(run, state)
  local ok, failure = pcall(run, state)
  if ok then return end
  if not (is_failure(failure, 'FOREIGN') or is_failure(failure, 'WRONGTYPE')) then
    error(failure, 0)
  end
  redis.call('DEL', state.key)
  replaced[#replaced + 1] = state.position
  run(state)
end

-- Return a value as the first of a reply.
local function first(value)
  if #replaced == 0 then return value end
  return {value, unpack(replaced)}
end
