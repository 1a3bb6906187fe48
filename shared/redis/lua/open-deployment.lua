-- @include consumer-groups
-- @include stream-ids
-- The steps of an opening in Redis (opening.ts). The holder of the lock calls them. Its knowledge may be old by then,
-- so each step checks what it changes.
--
-- KEYS
--   1  lock
--   2  deployment
--   3  reports
--   4… two per partition: slot, messages; then one per inbox shard: slot
-- ARGV
--   1  holder of the lock; its name ends with the run id of Redis under which it was taken
--   2  ms that the lock lasts from now on
--   3  step
--   4  number of the opening
--   5  epoch
--   6  generation
--   7  partitions
--   8  inbox shards
--   9  formats
--   10… one per partition: a stream id; then one per slot: a mark, or for `begin` 1 if the slot may have lost something
-- Steps:
--   keep      extends the lock, and does nothing more
--   announce  closes every slot, and says that this opening has begun: every process reports what it saw
--   rewind    has the group `history` read every stream from its beginning again, for a history that was restored
--             from a backup: it archives what the streams still hold
--   begin     begins an epoch, in which no number was given yet. Begins a line in each slot that may have lost
--             something, and raises the ids of its stream above the ids given here, and above any clock. After a loss,
--             has every user loaded from history once, and notes in `keptTo` of each partition's slot where its stream
--             ends. Stores the epoch as not yet open.
--   open      opens every slot for this run, if Redis still has all that was read before: the epoch, streams that end
--             at the ids given here or later, and the marks.
-- Replies:
--   {not_held}
--   {kept}
--   {announced}
--   {rewound}
--   {begun}
--   {changed, what is missing}
--   {opened, run id of Redis}
--
-- `open` covers all slots in one step, so a Redis that is wiped or replaced in between is never opened.
-- Safe to repeat.
local lock, deployment = KEYS[1], KEYS[2]
local holder, lockMs, step, opening, epoch, generation = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local partitions, shards, formats = tonumber(ARGV[7]), tonumber(ARGV[8]), ARGV[9]
-- A primary that takes over may have a clock that is behind. No stream id may be given twice for that.
local aheadMs = 60000

-- A lock that came back with an older Redis belongs to an attempt whose knowledge is out of date.
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)') or ''
if redis.call('GET', lock) ~= holder or string.sub(holder, -#run) ~= run then return {'not_held'} end
redis.call('PEXPIRE', lock, lockMs)
if step == 'keep' then return {'kept'} end

local slots, messages = {}, {}
for i = 0, partitions - 1 do slots[i + 1], messages[i + 1] = KEYS[4 + 2 * i], KEYS[5 + 2 * i] end
for i = 4 + 2 * partitions, #KEYS do slots[#slots + 1] = KEYS[i] end

local function lastId(stream)
  if redis.call('EXISTS', stream) == 0 then return '0-0' end
  local info = redis.call('XINFO', 'STREAM', stream)
  for i = 1, #info, 2 do if info[i] == 'last-generated-id' then return info[i + 1] end end
end
local function makeGroups(stream)
  for _, group in ipairs(consumerGroups) do redis.pcall('XGROUP', 'CREATE', stream, group, '0', 'MKSTREAM') end
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
-- The keys of a slot belong to a line. What is of another line was lost, or may have been.
local function beginLine(slot)
  redis.call('HSET', slot, 'line', epoch, 'generation', generation, 'complete', generation == '0' and '1' or '0',
    'since', string.format('%.0f', now))
end

if step == 'announce' then
  for _, slot in ipairs(slots) do redis.call('HDEL', slot, 'open') end
  redis.call('HDEL', deployment, 'run')
  redis.call('HSET', deployment, 'opening', opening)
  return {'announced'}
end

if step == 'rewind' then
  for i, stream in ipairs(messages) do
    makeGroups(stream)
    redis.call('XGROUP', 'SETID', stream, 'history', '0')
    local settled = tonumber(redis.call('HGET', slots[i], 'appended') or 0) - redis.call('XLEN', stream)
    redis.call('HSET', slots[i], 'settled:history', string.format('%.0f', math.max(0, settled)))
  end
  return {'rewound'}
end

if step == 'begin' then
  local function isLost(i) return ARGV[9 + partitions + i] == '1' end
  for i, slot in ipairs(slots) do
    if isLost(i) then beginLine(slot) end
    if i > partitions and generation ~= '0' then redis.call('HSET', slot, 'loads', epoch) end
  end
  for i, stream in ipairs(messages) do
    makeGroups(stream)
    if generation ~= '0' then redis.call('HSET', slots[i], 'keptTo', lastId(stream)) end
    -- In the first epoch of all, no id was given before.
    if generation ~= '0' and isLost(i) then
      local least = string.format('%.0f-0', now + aheadMs)
      if isBelow(least, ARGV[9 + i]) then least = ARGV[9 + i] end
      if isBelow(lastId(stream), least) then redis.call('XSETID', stream, least) end
    end
  end
  redis.call('HSET', deployment, 'epoch', epoch, 'generation', generation, 'partitions', partitions,
    'inboxShards', shards, 'formats', formats, 'opened', '0')
  return {'begun'}
end

local known = redis.call('HMGET', deployment, 'epoch', 'opened')
if known[1] ~= epoch then return {'changed', 'Redis is of another epoch than a moment ago'} end
for i, stream in ipairs(messages) do
  if isBelow(lastId(stream), ARGV[9 + i]) then return {'changed', stream .. ' ends below ' .. ARGV[9 + i]} end
end
local marks = 9 + partitions
if known[2] == '1' then
  for i, slot in ipairs(slots) do
    local found = redis.call('HMGET', slot, 'epoch', 'mark')
    if found[1] ~= epoch then return {'changed', slot .. ' is gone'} end
    if tonumber(found[2] or 0) < tonumber(ARGV[marks + i]) then return {'changed', slot .. ' has lost a mark'} end
  end
end

for i, slot in ipairs(slots) do
  local found = redis.call('HMGET', slot, 'epoch', 'line', 'complete', 'loads')
  if not found[2] then
    -- Versions before lines began one with each epoch.
    if found[1] then redis.call('HSET', slot, 'line', found[1]) else beginLine(slot) end
    if found[3] == '0' and not found[4] then redis.call('HSET', slot, 'loads', found[1]) end
  end
  if found[1] ~= epoch then redis.call('HSET', slot, 'epoch', epoch, 'mark', ARGV[marks + i]) end
  redis.call('HSET', slot, 'open', run, 'gate', opening)
end
for _, stream in ipairs(messages) do makeGroups(stream) end
redis.call('HDEL', deployment, 'opening')
redis.call('DEL', KEYS[3])
redis.call('HSET', deployment, 'opened', '1', 'run', run, 'gate', opening)
return {'opened', run}
