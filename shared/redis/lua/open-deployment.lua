-- @include consumer-groups
-- @include stream-ids
-- Checks in one step whether Redis still is what history says it was, and opens it. Before that nobody may write into
-- it. The holder of the lock calls this. Its knowledge of history may be old by then; what is found here is not.
--
-- KEYS
--   1  lock
--   2  deployment
--   3… two per partition: slot, messages; then one per inbox shard: slot; then one per witness: user
-- ARGV
--   1  holder of the lock; its name ends with the run id of Redis under which it was taken
--   2  ms that the lock lasts from now on
--   3  step
--   4  epoch
--   5  generation
--   6  partitions
--   7  inbox shards
--   8  formats
--   9… one per partition: stream id up to which history has it ('' = nothing); then one per witness: a head of that
--      user's inbox in this epoch that a gateway was told
-- Steps:
--   keep     extends the lock, and does nothing more
--   begin    begins an epoch, in which no number was given yet. Raises the streams' ids to what history has, even if a
--            stream was lost or the clock went back. Stores the epoch as not yet open.
--   compare  opens a Redis of this epoch, also one whose opening was interrupted. Does nothing if anything is missing.
-- Replies:
--   {not_held}
--   {kept}
--   {begun}
--   {lost, what is missing}
--   {opened, run id of Redis}
--
-- One step covers all slots, so a Redis that is wiped or replaced in between is never opened. Ids are also compared
-- between the two steps: a Redis restored to its state of that time has lost what was given later.
-- Safe to repeat: an open Redis stays as it is.
local lock, deployment = KEYS[1], KEYS[2]
local holder, lockMs, step, epoch, generation, formats = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[8]
local partitions, shards = tonumber(ARGV[6]), tonumber(ARGV[7])

-- A lock that came back with an older Redis belongs to an attempt whose knowledge is out of date.
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
  for _, group in ipairs(consumerGroups) do redis.pcall('XGROUP', 'CREATE', messages, group, '0', 'MKSTREAM') end
end
if step == 'begin' then
  for i = 0, partitions - 1 do
    local messages, archived = KEYS[4 + 2 * i], ARGV[9 + i]
    makeGroups(messages)
    if archived ~= '' and isBelow(lastId(messages), archived) then redis.call('XSETID', messages, archived) end
  end
  redis.call('HSET', deployment, 'epoch', epoch, 'generation', generation, 'partitions', partitions,
    'inboxShards', shards, 'formats', formats, 'opened', '0')
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
    if tonumber(head) < tonumber(seen) then
      return {'lost', KEYS[i] .. ' ends at ' .. head .. ', a gateway was told ' .. seen}
    end
  end
end

local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
local complete = generation == '0' and '1' or '0'
local function openSlot(slot)
  redis.call('HSET', slot, 'open', run)
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
