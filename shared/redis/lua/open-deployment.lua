-- @include stream-ids
-- Judges in one step whether Redis still is what history says that it was, and opens it: before, nobody may write into it. Whoever holds the
-- lock calls it; what it was told of history may be old by then, but not what it finds here.
--
-- KEYS[1] lock   KEYS[2] deployment, then of each partition: slot, messages; of each inbox shard: slot; of each witness: user
-- ARGV[1] holder of the lock, its name ending with the run of Redis in which it was taken   ARGV[2] milliseconds that the lock lasts from now on   ARGV[3] step   ARGV[4] epoch   ARGV[5] generation
-- ARGV[6] partitions   ARGV[7] inbox shards   ARGV[8] formats
-- ARGV[9..] of each partition: stream id up to which history has it ('' = nothing); of each witness: a head of that user's inbox in this
--   epoch that somebody was told
-- Steps:
--   keep     holds the lock for longer, and does nothing else
--   begin    an epoch begins, in which no number was given yet: raises the streams' ids to what history has, also where the stream was lost
--            or the clock went back, and notes the epoch, and that it is not open
--   compare  opens what belongs to the epoch, and what had begun and was interrupted; where anything is missing it does nothing
-- Replies: {not_held} | {kept} | {begun} | {lost, what is missing} | {opened, run of Redis}
--
-- One step over all slots, so nothing is opened of a Redis that is wiped or taken over in between. Ids are compared also before it is open:
-- a Redis that comes back as it was between the two steps has lost what was given after them.
-- Safe to repeat: what is open stays as it is.
local lock, deployment = KEYS[1], KEYS[2]
local holder, lockMs, step, epoch, generation, formats = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[8]
local partitions, shards = tonumber(ARGV[6]), tonumber(ARGV[7])

-- A lock that came back with an older Redis is of an attempt that has read what is not so any more.
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)') or ''
if redis.call('GET', lock) ~= holder or string.sub(holder, -#run) ~= run then return {'not_held'} end
redis.call('PEXPIRE', lock, lockMs)
if step == 'keep' then return {'kept'} end

local function lastId(messages)
  if redis.call('EXISTS', messages) == 0 then return '0-0' end
  local info = redis.call('XINFO', 'STREAM', messages)
  for i = 1, #info, 2 do if info[i] == 'last-generated-id' then return info[i + 1] end end
end
local function makeGroups(messages)
  for _, group in ipairs({'inbox', 'history'}) do redis.pcall('XGROUP', 'CREATE', messages, group, '0', 'MKSTREAM') end
end
if step == 'begin' then
  for i = 0, partitions - 1 do
    local messages, archived = KEYS[4 + 2 * i], ARGV[9 + i]
    makeGroups(messages)
    if archived ~= '' and isBelow(lastId(messages), archived) then redis.call('XSETID', messages, archived) end
  end
  redis.call('HSET', deployment, 'epoch', epoch, 'generation', generation, 'partitions', partitions, 'inboxShards', shards,
    'formats', formats, 'opened', '0')
  return {'begun'}
end

local firstShard, firstWitness = 3 + 2 * partitions, 3 + 2 * partitions + shards

local known = redis.call('HMGET', deployment, 'epoch', 'opened')
if not known[1] then return {'lost', 'Redis is empty and history is not'} end
if known[1] ~= epoch then return {'lost', 'Redis is of another epoch than history'} end
for i = 0, partitions - 1 do
  local archived, last = ARGV[9 + i], lastId(KEYS[4 + 2 * i])
  if archived ~= '' and isBelow(last, archived) then
    return {'lost', 'partition ' .. i .. ' ends at ' .. last .. ', history knows ' .. archived}
  end
end
if known[2] == '1' then
  for i = 3, firstWitness - 1 do
    local isSlot = i >= firstShard or i % 2 == 1
    if isSlot and redis.call('HGET', KEYS[i], 'epoch') ~= epoch then return {'lost', KEYS[i] .. ' is gone'} end
  end
  for i = firstWitness, #KEYS do
    local head, seen = redis.call('HGET', KEYS[i], 'head') or '0', ARGV[9 + partitions + i - firstWitness]
    if tonumber(head) < tonumber(seen) then return {'lost', KEYS[i] .. ' ends at ' .. head .. ', a gateway was told ' .. seen} end
  end
end

local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
local complete = generation == '0' and '1' or '0'
local function openSlot(slot)
  if redis.call('HGET', slot, 'epoch') == epoch then return end
  redis.call('HSET', slot, 'epoch', epoch, 'generation', generation, 'complete', complete, 'since', now)
end
for i = 0, partitions - 1 do
  openSlot(KEYS[3 + 2 * i])
  makeGroups(KEYS[4 + 2 * i])
end
for i = firstShard, firstWitness - 1 do openSlot(KEYS[i]) end
redis.call('HSET', deployment, 'opened', '1', 'run', run)
redis.call('HINCRBY', deployment, 'compared', 1)
return {'opened', run}
