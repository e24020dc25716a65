-- The script that counts one request under all its rules. script.py joins the files of this folder:
-- common.lua, one file per algorithm, and count.lua, which checks all rules and then charges all of
-- them or none.
--
-- gateway/ratelimit/algorithms holds the same algorithms for one process, and explains why they
-- never admit too much. tests/gateway/ratelimit/redis/test_script.py is the differential test that
-- checks that both decide alike.
--
-- All times are in microseconds. Numbers in Lua are doubles, exact below 2^53 (9e15). The largest
-- one here is burst * window: bursts above 100,000 with a window of a day would be rounded.
--
-- An algorithm is a table of functions of a `state`, which begins with the key and the numbers of
-- its rule:
--   load                  read the key at `now`, and set `state.now` to it, or to the last charge if
--                         that is later: times never run back
--   compute_retry_after   the time until the cost fits; 0 if it does
--   charge                add the cost, whether it fits or not
--   compute_remaining, compute_reset, compute_ttl
--   dump                  the state as whole numbers, in the form of `dump` of the algorithm in
--                         gateway/ratelimit/algorithms; that of a new state if it equals one

local MAX_CLOCK_CHANGE = 86400 * 1000000

local algorithms = {}

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
