-- @include slot-open
-- Caches texts of the newest messages of a conversation that somebody reads. The texts given are those in the history
-- store, and every text of low..high is kept, so readers find the same here as in the store. Losing the cache costs a
-- read.
--
-- Messages are kept as they read now, amended. The field `amended` is the seq of the newest amendment that all texts
-- reflect, absent if there is none; with another newest one they are of no use. _Must hold:_ nothing that was read
-- before an amendment is kept after it, and nothing is added that may have been amended already: an amendment's seq is
-- above that of its message (test/model/amending.test.ts).
--
-- KEYS
--   1  slot of the partition
--   2  recent
--   3  conversation
-- ARGV
--   1  what it is
--      continue  just archived: extends an existing cache only. The texts are as they were sent
--      <seq>     a reader had to ask the store: the newest amendment that it knew of (0 = none)
--   2  how long it stays (ms)
--   3  maximum messages
--   4  maximum bytes
--   5  first seq
--   6… texts of consecutive seqs
-- Replies:
--   kept
--   older     newer ones are cached, with a hole between
--   absent    nobody reads it
--   amended   the conversation has been amended since; nothing of before is kept
--   closed
-- Safe to repeat and in any order: a seq has one text, a hole drops everything below it, and a cache of another line
-- is dropped.
local slot, recent = KEYS[1], KEYS[2]
local stayMs, mostMessages, mostBytes = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local first = tonumber(ARGV[5])
local last = first + #ARGV - 6

local state = redis.call('HMGET', slot, 'line', 'open')
if not isOpen(state[2]) then return 'closed' end
local line = state[1]
local held = redis.call('HMGET', recent, 'epoch', 'low', 'high', 'bytes', 'amended')
local isHeld = held[1] == line
local amended = redis.call('HGET', KEYS[3], 'amendSeq') or '0'
if isHeld and (held[5] or '0') ~= amended then
  redis.call('DEL', recent)
  isHeld = false
end
if ARGV[1] == 'continue' then
  if not isHeld then return 'absent' end
  if tonumber(amended) >= first then
    redis.call('DEL', recent)
    return 'amended'
  end
  -- Only readers extend its life.
  stayMs = redis.call('PTTL', recent)
elseif ARGV[1] ~= amended then
  return 'amended'
end
local low, high, bytes = first, first - 1, 0
if isHeld and last < tonumber(held[2]) - 1 then return 'older' end
if isHeld and first <= tonumber(held[3]) + 1 then
  low, high, bytes = tonumber(held[2]), tonumber(held[3]), tonumber(held[4])
else
  redis.call('DEL', recent)
end

local function whole(number) return string.format('%.0f', number) end
local function add(seq)
  local text = ARGV[6 + seq - first]
  redis.call('HSET', recent, whole(seq), text)
  bytes = bytes + #text
end
for seq = high + 1, last do
  add(seq)
  high = seq
end
while low <= high and (high - low + 1 > mostMessages or bytes > mostBytes) do
  bytes = bytes - redis.call('HSTRLEN', recent, whole(low))
  redis.call('HDEL', recent, whole(low))
  low = low + 1
end
while low > first and high - low + 2 <= mostMessages and bytes + #ARGV[6 + low - 1 - first] <= mostBytes do
  add(low - 1)
  low = low - 1
end
redis.call('HSET', recent, 'epoch', line, 'low', whole(low), 'high', whole(high), 'bytes', bytes)
if amended ~= '0' then redis.call('HSET', recent, 'amended', amended) end
redis.call('PEXPIRE', recent, stayMs)
return 'kept'
