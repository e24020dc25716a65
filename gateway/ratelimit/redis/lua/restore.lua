-- Adds the requests that a process has admitted, and that this Redis does not know, to its counts.
-- script.py joins this file to common.lua and the algorithms.
--
-- KEYS[1]  the key of the epoch. Then the keys to add to.
-- ARGV[1]  the time; 0 takes the clock of the server.
-- ARGV[2]  the id of the epoch. Then for each key: algorithm, quota, window, the number of pairs, and
--          the pairs. A pair of a sliding window is the age of a bucket and its count, the oldest
--          first; that of a GCRA bucket, the only one, is 0 and its level.
-- Returns  the number of these keys (first).
--
-- Ages count from now, which is later than the time at which the process has computed them: what is
-- added counts for slightly too long, never too short.
--
-- Nothing is added before all keys have been loaded, so that a script that fails can be run again.

local now = read_clock(ARGV[1])

if redis.pcall('HGET', KEYS[1], 'id') ~= ARGV[2] then
  return redis.error_reply('EPOCH these counts are not of this epoch')
end
redis.call('HSET', KEYS[1], 'beat', text(now))

local function load(state)
  state.algorithm.load(state, now)
  if state.algorithm == sliding_window then
    state.closed_buckets = sliding_window.load_closed_buckets(state)
  end
end

-- Return the buckets of a sliding window in the order of their times, each {first, last, count}.
local function list_buckets(state)
  local buckets = {}
  for _, bucket in ipairs(state.closed_buckets) do
    if bucket.count > 0 then buckets[#buckets + 1] = {bucket.last, bucket.last, bucket.count} end
  end
  if state.count > 0 then buckets[#buckets + 1] = {state.first, state.last, state.count} end
  for _, pair in ipairs(state.pairs) do
    local at = now - pair[1]
    if pair[2] > 0 and at > now - state.window then buckets[#buckets + 1] = {at, at, pair[2]} end
  end
  table.sort(buckets, function(one, other) return one[2] < other[2] end)
  return buckets
end

-- Join neighbours that are less than a sixtieth of the window apart, if there are too many. A joined
-- bucket has the time of the last, so that no charge is forgotten too early.
local function join_buckets(buckets, window)
  if #buckets <= BUCKETS then return buckets end
  local joined = {}
  for _, bucket in ipairs(buckets) do
    local newest = joined[#joined]
    if newest and bucket[2] < newest[1] + math.floor(window / BUCKETS) then
      newest[2], newest[3] = bucket[2], newest[3] + bucket[3]
    else
      joined[#joined + 1] = bucket
    end
  end
  return joined
end

local function add_to_window(state)
  local buckets = join_buckets(list_buckets(state), state.window)
  if #buckets == 0 then return end
  local total, fields = 0, {}
  for index, bucket in ipairs(buckets) do
    total = total + bucket[3]
    if index < #buckets then
      fields[#fields + 1] = text(index - 1)
      fields[#fields + 1] = text(bucket[2]) .. ' ' .. text(bucket[3])
    end
  end
  local open = buckets[#buckets]
  redis.call('DEL', state.key)
  redis.call('HSET', state.key, 'h', '0', 'n', text(#buckets - 1), 't', text(total),
    'f', text(open[1]), 'l', text(open[2]), 'k', text(open[3]), unpack(fields))
  redis.call('PEXPIRE', state.key, text(math.ceil(state.window / 1000)))
end

local function add_to_level(state)
  state.level = math.min(state.level + state.pairs[1][2], MAX_LEVEL)
  redis.call('HSET', state.key, 'a', text(state.now), 'v', text(state.level))
  redis.call('PEXPIRE', state.key, text(math.ceil(gcra.compute_ttl(state) / 1000)))
end

local states, position = {}, 3
for index = 2, #KEYS do
  local state = {
    key = KEYS[index],
    position = index,
    algorithm = algorithms[ARGV[position]],
    quota = tonumber(ARGV[position + 1]),
    window = tonumber(ARGV[position + 2]),
  }
  state.pairs = {}
  for pair = 1, tonumber(ARGV[position + 3]) do
    local at = position + 2 + 2 * pair
    state.pairs[pair] = {tonumber(ARGV[at]), tonumber(ARGV[at + 1])}
  end
  position = position + 4 + 2 * #state.pairs
  run_or_reset(load, state)
  states[#states + 1] = state
end
for _, state in ipairs(states) do
  if state.algorithm == sliding_window then add_to_window(state) else add_to_level(state) end
end
return {first(#KEYS - 1)}
