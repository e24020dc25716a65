-- Counts one request under all its policies: first every check, then every charge or none.
--
-- KEYS     one account per policy, a hash. Without burst: h and n, the index of the oldest
--          closed bucket and how many there are; 1, 2, ... those buckets as "<last hit> <count>";
--          f, l and k, the newest bucket's first hit, last hit and count; t, the total.
--          With burst: a, the time, and v, the level, and w, the window it is reckoned in.
-- ARGV[1]  the time; 0 takes the server's clock. Then five numbers per policy:
--          quota, window, cost, burst (0: none), shadow (1: charged, but never refuses).
-- Returns  four integers per policy: allowed, remaining, retry after (0: it fits), reset.
--
-- Times are in microseconds. gateway/ratelimit/algorithms/sliding_window.py and steady.py explain and mirror this.

local BUCKETS = 60

-- Lua writes large numbers as 1.7e+15 unless told otherwise.
local function text(number)
  return string.format('%.0f', number)
end

local function number(value)
  return tonumber(value or 0)
end

local window = {}

function window.open(account, now)
  local key = account.key
  local stored = redis.call('HMGET', key, 'h', 'n', 't', 'f', 'l', 'k')
  account.head, account.closed = number(stored[1]), number(stored[2])
  account.total, account.first = number(stored[3]), number(stored[4])
  account.last, account.count = number(stored[5]), number(stored[6])
  account.now = math.max(now, account.last)
  window.expire(account)
end

function window.bucket(account, index)
  local stored = redis.call('HGET', account.key, text(index))
  local last, count = string.match(stored, '(%d+) (%d+)')
  return tonumber(last), tonumber(count)
end

function window.expire(account)
  local horizon, gone = account.now - account.window, {}
  while account.closed > 0 do
    local last, count = window.bucket(account, account.head)
    account.oldest = last
    if last > horizon then break end
    gone[#gone + 1] = text(account.head)
    account.head, account.closed = account.head + 1, account.closed - 1
    account.total = account.total - count
  end
  if account.closed == 0 then
    account.oldest = account.last
    if account.last <= horizon then account.count, account.total = 0, 0 end
  end
  if #gone > 0 then
    redis.call('HDEL', account.key, unpack(gone))
    redis.call('HSET', account.key, 'h', text(account.head), 'n', text(account.closed),
      't', text(account.total), 'k', text(account.count))
  end
end

function window.wait(account)
  local excess = account.total + account.cost - account.quota
  if excess <= 0 then return 0 end
  for index = account.head, account.head + account.closed - 1 do
    local last, count = window.bucket(account, index)
    excess = excess - count
    if excess <= 0 then return last + account.window - account.now end
  end
  if excess <= account.count then return account.last + account.window - account.now end
  return account.window
end

function window.joins(account)
  local buckets = account.closed + (account.count > 0 and 1 or 0)
  local exact = account.quota <= BUCKETS and buckets < BUCKETS
  return not exact and buckets > 0
    and account.now < account.first + math.floor(account.window / BUCKETS)
end

function window.charge(account)
  local key = account.key
  if window.joins(account) then
    account.count = account.count + account.cost
  else
    if account.count > 0 then
      redis.call('HSET', key, text(account.head + account.closed),
        text(account.last) .. ' ' .. text(account.count))
      account.closed = account.closed + 1
    end
    account.first, account.count = account.now, account.cost
  end
  account.last, account.total = account.now, account.total + account.cost
  if account.closed == 0 then account.oldest = account.now end
  redis.call('HSET', key, 'h', text(account.head), 'n', text(account.closed),
    't', text(account.total), 'f', text(account.first), 'l', text(account.last),
    'k', text(account.count))
end

function window.remaining(account)
  return math.max(0, account.quota - account.total)
end

function window.reset(account)
  if account.total == 0 then return 0 end
  return account.oldest + account.window - account.now
end

function window.life(account)
  return account.window
end

local steady = {}

function steady.open(account, now)
  local stored = redis.call('HMGET', account.key, 'a', 'v', 'w')
  local at, level, reckoned = number(stored[1]), number(stored[2]), number(stored[3])
  if reckoned > 0 and reckoned ~= account.window then
    level = math.floor(level * account.window / reckoned)
  end
  account.now = math.max(now, at)
  account.level = math.max(0, level - (account.now - at) * account.quota)
end

function steady.wait(account)
  local excess = account.level + (account.cost - account.burst) * account.window
  if excess <= 0 then return 0 end
  if account.cost > account.burst then return account.window end
  return math.ceil(excess / account.quota)
end

function steady.charge(account)
  account.level = account.level + account.cost * account.window
  redis.call('HSET', account.key, 'a', text(account.now), 'v', text(account.level),
    'w', text(account.window))
end

function steady.remaining(account)
  return math.max(0, account.burst - math.ceil(account.level / account.window))
end

function steady.reset(account)
  if account.level == 0 then return 0 end
  local used = math.min(math.ceil(account.level / account.window), account.burst)
  return math.ceil((account.level - (used - 1) * account.window) / account.quota)
end

function steady.life(account)
  return account.level / account.quota
end

local now = tonumber(ARGV[1])
if now == 0 then
  local time = redis.call('TIME')
  now = tonumber(time[1]) * 1000000 + tonumber(time[2])
end

local accounts, admitted = {}, true
for index, key in ipairs(KEYS) do
  local at = 5 * index - 3
  local account = {
    key = key,
    quota = tonumber(ARGV[at]),
    window = tonumber(ARGV[at + 1]),
    cost = tonumber(ARGV[at + 2]),
    burst = tonumber(ARGV[at + 3]),
  }
  account.kind = account.burst > 0 and steady or window
  account.kind.open(account, now)
  account.retry = account.kind.wait(account)
  if account.retry > 0 and ARGV[at + 4] == '0' then admitted = false end
  accounts[index] = account
end

local answer = {}
for index, account in ipairs(accounts) do
  if admitted and account.cost > 0 then
    account.kind.charge(account)
    redis.call('PEXPIRE', account.key, text(math.ceil(account.kind.life(account) / 1000)))
  end
  local at = 4 * index - 3
  answer[at] = account.retry == 0 and 1 or 0
  answer[at + 1] = account.kind.remaining(account)
  answer[at + 2] = account.retry
  answer[at + 3] = account.kind.reset(account)
end
return answer
