-- Keeps texts of the newest messages of a conversation that somebody reads. What is given is what the history store holds, and what
-- is kept is every text of low..high, so no reader finds here what the store would not say. A cache: losing it costs a read.
--
-- KEYS[1] slot of the partition   KEYS[2] recent
-- ARGV[1] fill (a reader had to ask the store) | continue (archived now: only where it is kept already)
-- ARGV[2] how long it stays (ms)   ARGV[3] most messages   ARGV[4] most bytes   ARGV[5] first seq   ARGV[6..] texts of consecutive seqs
-- Replies: kept | older (newer ones are kept, with a hole between) | absent (nobody reads it) | closed
-- Safe to repeat and in any order: a seq has one text, a hole drops what is below it, and what was kept in another epoch goes.
local slot, recent = KEYS[1], KEYS[2]
local stayMs, mostMessages, mostBytes, first = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local last = first + #ARGV - 6

local epoch = redis.call('HGET', slot, 'epoch')
if not epoch then return 'closed' end
local held = redis.call('HMGET', recent, 'epoch', 'low', 'high', 'bytes')
local isHeld = held[1] == epoch
if ARGV[1] == 'continue' then
  if not isHeld then return 'absent' end
  -- Only readers prolong it.
  stayMs = redis.call('PTTL', recent)
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
redis.call('HSET', recent, 'epoch', epoch, 'low', whole(low), 'high', whole(high), 'bytes', bytes)
redis.call('PEXPIRE', recent, stayMs)
return 'kept'
