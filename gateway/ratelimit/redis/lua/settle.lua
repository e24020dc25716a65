-- Settles charges that were reserved: gives back what a request did not use, or charges the rest.
--
-- gateway/ratelimit/algorithms holds the same for one process, and explains why what is given back
-- never lets a caller exceed its limit. tests/gateway/ratelimit/redis/test_settle.py compares them.
--
-- KEYS     one key per charge, each once.
-- ARGV[1]  the time; 0 takes the clock of the server. Then six values per charge: algorithm, quota,
--          window, burst, the time of the charge, and the difference: what is charged in addition,
--          whether it fits or not, or, if it is negative, what is given back.
-- Returns  one integer: the number of charges.

-- Give back in the bucket of the charge: the first whose last charge is not before it. If clocks
-- differ by a little, that is an older bucket, which expires sooner.
function sliding_window.give_back(state)
  local key, left = state.key, -state.cost
  for index = state.head, state.head + state.closed - 1 do
    local last, count = sliding_window.load_bucket(state, index)
    if left > 0 and last >= state.charged_at then
      local taken = math.min(count, left)
      redis.call('HSET', key, text(index), text(last) .. ' ' .. text(count - taken))
      left, state.total = left - taken, state.total - taken
    end
  end
  if left > 0 and state.last >= state.charged_at then
    local taken = math.min(state.count, left)
    left, state.total, state.count = left - taken, state.total - taken, state.count - taken
  end
  if left < -state.cost then
    -- No charge joins an open bucket that is empty: the next one opens another.
    local first = state.count > 0 and state.first or 0
    redis.call('HSET', key, 't', text(state.total), 'k', text(state.count), 'f', text(first))
  end
end

-- Give back what has not drained since the charge.
function gcra.give_back(state)
  local drained = (state.now - state.charged_at) * state.quota
  local left = -state.cost * state.window - math.max(0, drained)
  if left <= 0 or state.level == 0 then return end
  state.level = math.max(0, state.level - left)
  redis.call('HSET', state.key, 'a', text(state.now), 'v', text(state.level),
    'w', text(state.window))
end

local function settle(state)
  state.algorithm.load(state, state.asked_at)
  if state.cost < 0 then
    state.algorithm.give_back(state)
  else
    state.algorithm.charge(state)
    redis.call('PEXPIRE', state.key, text(math.ceil(state.algorithm.compute_ttl(state) / 1000)))
  end
end
