-- The sliding window: never more than the quota in any window, in constant memory per key.
-- gateway/ratelimit/algorithms/sliding_window.py is the same for one process.
--
-- Fields. A bucket is the time of its last charge and its count. The newest bucket is open: charges
-- may join it. The older ones are closed and never change.
--   h, n     index of the oldest closed bucket, and the number of closed buckets
--   <index>  a closed bucket, "<last> <count>", for each index from h to h + n - 1
--   f, l, k  the open bucket: time of its first charge, time of its last charge, count
--   t        the total of all counts
--
-- Invariants.
-- - t is k plus the counts of the closed buckets. A count is 0 only if all of it was given back
--   (settle.lua). k is 0 only then, with an f of 0, or if n and t are.
-- - From h on, the times of the buckets never decrease; l is the latest.
-- - A bucket is dropped only when its last charge is a whole window old.

local BUCKETS = 60

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

-- Return the closed buckets in the order of their times, each with its index.
function sliding_window.load_closed_buckets(state)
  local buckets = {}
  for index = state.head, state.head + state.closed - 1 do
    local last, count = sliding_window.load_bucket(state, index)
    buckets[#buckets + 1] = {index = index, last = last, count = count}
  end
  return buckets
end

-- Drop the buckets whose last charge is a whole window old, and set `state.oldest` to the time of
-- the oldest bucket left. The open bucket can expire only when no closed one is left; the key is
-- deleted then, so that a clock that is set back later does not bring the bucket back.
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
    if state.total ~= state.count then error('FOREIGN') end
    state.oldest = state.last
    if state.last <= horizon or state.count == 0 then return sliding_window.reset(state) end
  end
  if #expired > 0 then
    redis.call('HDEL', state.key, unpack(expired))
    redis.call('HSET', state.key, 'h', text(state.head), 'n', text(state.closed),
      't', text(state.total), 'k', text(state.count))
  end
end

-- Delete the key, if it exists: the state is that of a new one.
function sliding_window.reset(state)
  if state.last > 0 then redis.call('DEL', state.key) end
  state.head, state.total, state.first, state.last, state.count = 0, 0, 0, 0, 0
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
-- of BUCKETS each charge gets its own bucket, as long as there are few: after its quota was lowered,
-- a key can hold more than that.
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

-- The open bucket is the last one, unless it is empty.
function sliding_window.dump(state)
  if state.total == 0 then return {0, 0} end
  local numbers = {state.last, state.first}
  for index = state.head, state.head + state.closed - 1 do
    local last, count = sliding_window.load_bucket(state, index)
    numbers[#numbers + 1], numbers[#numbers + 2] = last, count
  end
  if state.count > 0 then
    numbers[#numbers + 1], numbers[#numbers + 2] = state.last, state.count
  end
  return numbers
end

algorithms.sliding_window = sliding_window
