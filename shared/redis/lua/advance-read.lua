-- @include quiet-seqs
-- @include slot-open
-- Moves a user's read seq in a conversation forward, never back.
--
-- KEYS
--   1  slot of the shard
--   2  user
-- ARGV
--   1  conversation
--   2  seq, which the caller has clamped to the last seq of the conversation
--   3  the seq before the first one that the user sees
-- Replies:
--   {closed}
--   {read, the read seq now in force, whether this call has moved it (0|1), routes of the user}
-- Safe to repeat.
if not isOpen(redis.call('HGET', KEYS[1], 'open')) then return {'closed'} end
local field = 'c:' .. ARGV[1]
local seq, joined = tonumber(ARGV[2]), tonumber(ARGV[3])
local found = redis.call('HMGET', KEYS[2], field, 'routes')
local stored, routes = found[1], found[2] or ''
if not stored then
  if seq <= joined then return {'read', string.format('%.0f', joined), 0, routes} end
  redis.call('HSET', KEYS[2], field, string.format('%.0f %.0f %.0f 0 0 m', 0, seq, joined))
  return {'read', string.format('%.0f', seq), 1, routes}
end
local last, read, rest = string.match(stored, '^(%d+) (%d+) (.+)$')
local moved = 0
if seq > tonumber(read) then
  moved = 1
  read = string.format('%.0f', seq)
  redis.call('HSET', KEYS[2], field, last .. ' ' .. read .. ' ' .. rest)
  noteQuiet(KEYS[2], ARGV[1], '', seq)
end
return {'read', read, moved, routes}
