-- @include quiet-seqs
-- @include slot-open
-- Restores a conversation from history if Redis cannot vouch for it.
--
-- Numbers that may have been given and then lost are never given again: seq and version jump above everything known.
-- The jump grows with each loss, so numbers given after one loss never reach those given before the next. The skipped
-- range of seqs is recorded and goes to history, as does the version.
--
-- A conversation that was unloaded in this line keeps its numbers, if history has exactly what the mark says. No
-- script gives numbers while the mark stands.
--
-- KEYS
--   1  slot of the partition
--   2  messages
--   3  conversation
--   4  members
--   5  staged
-- ARGV
--   1  conversation
--   2  kind
--   3  name
--   4  createdAt (ms, 0 = now)
--   5  service (0|1)
--   6  users ('' = none)
--   7  version in history (0 = history does not know the conversation)
--   8  last seq in history
--   9  skips in history ("from-to,…")
--   10 jump per loss
--   11 historyDays ('' = none)
--   12 the mark that the caller knew before it read history ('' = none)
--   13 number of staged members, from history and from what Redis holds of another line (stage-held.lua);
--      0 = the members follow
--   14 how many of the staged are current members
--   15 which of a direct conversation's two users are known to have written: '1', '2', '12', '' = none
--   16 creator ('' = none, or history does not know)
--   17 seq of the newest amendment that is in force in history (0 = none)
--   18 newest seqs that do not count as unread, beside the skips (quiet-seqs.include.lua; '' = none). What Redis holds
--      of another line is added: it may not be archived yet
--   19 epoch that the caller knew before it read history
--   20… two per member in history: user, spans
-- Replies:
--   closed | present
--   installed          its numbers go on, and no entry was made
--   installed <stream id of the last entry>
--   unstaged       some of the staged members are gone
--   outdated       another epoch has begun since the caller read history: more may be stored. Nothing was done
--   mark <mark>    the mark is of this line and history differs from it. Read history again, since it may have been
--                  read before the mark was set. Then pass the mark: a remaining difference counts as a loss.
-- Safe to repeat and to race: only the first call in a line installs.
local slot, messages, conversation, members, staged = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local id, kind, name, createdAt, service, users = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local storedVersion, storedSeq, skips = tonumber(ARGV[7]), tonumber(ARGV[8]), ARGV[9]
local historyDays = ARGV[11]

local state = redis.call('HMGET', slot, 'line', 'generation', 'open', 'epoch')
local line, jump = state[1], tonumber(ARGV[10]) * math.max(1, tonumber(state[2] or 0))
if not isOpen(state[3]) then return 'closed' end
if state[4] ~= ARGV[19] then return 'outdated' end
local found = redis.call('HMGET', conversation, 'epoch', 'seq', 'version', 'name', 'skips', 'historyDays', 'count',
  'wrote', 'amendSeq', 'quiet')
if found[1] == line then return 'present' end

local markEpoch, markVersion = string.match(found[1] or '', '^unloaded:([^:]*):(%d+)$')
local goesOn = markEpoch == line and tonumber(markVersion) == storedVersion and tonumber(found[2]) == storedSeq
if markEpoch == line and not goesOn then
  local mark = found[2] .. ':' .. markVersion
  if ARGV[12] ~= mark then return 'mark ' .. mark end
end

local version = storedVersion
if markVersion then
  version = math.max(version, tonumber(markVersion))
elseif found[1] then
  version = math.max(version, tonumber(found[3]))
  if tonumber(found[3]) >= storedVersion then name, historyDays = found[4] or '', found[6] or '' end
  if found[5] and #found[5] > #skips then skips = found[5] end
end
local count = not markVersion and tonumber(found[7]) or 0
if not found[1] or markVersion or tonumber(found[3]) < storedVersion then
  if ARGV[13] ~= '0' then
    if redis.call('HLEN', staged) ~= tonumber(ARGV[13]) then return 'unstaged' end
    -- RENAME would free the old members itself, and block for as long as they are many. It keeps the expiry, hence
    -- PERSIST.
    redis.call('UNLINK', members)
    redis.call('RENAME', staged, members)
    redis.call('PERSIST', members)
    count = tonumber(ARGV[14])
  else
    local function open(spans) return spans and string.byte(spans, -1) == 45 and 1 or 0 end
    for i = 20, #ARGV, 2 do
      count = count + open(ARGV[i + 1]) - open(redis.call('HGET', members, ARGV[i]))
      redis.call('HSET', members, ARGV[i], ARGV[i + 1])
    end
  end
end
local last = math.max(storedSeq, tonumber(found[2] or 0))
-- Seqs that history had when the mark was set, and no longer has, are not in Redis' stream either: they are void too.
local from, to = string.format('%.0f', (markVersion and storedSeq or last) + 1), string.format('%.0f', last + jump)
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
if createdAt == '0' then createdAt = now end
if not goesOn then
  skips = (skips ~= '' and skips .. ',' or '') .. from .. '-' .. to
  version = version + jump
  redis.call('HSET', conversation, 'seq', to, 'prev', 0)
  -- The next message decides again whether the group is large, and tells every member.
  redis.call('HDEL', conversation, 'large', 'at')
end
version = string.format('%.0f', version)
redis.call('HSET', conversation, 'epoch', line, 'version', version, 'kind', kind, 'name', name,
  'createdAt', createdAt, 'service', service, 'skips', skips, 'loadedAt', now)
if ARGV[16] ~= '' then redis.call('HSET', conversation, 'creator', ARGV[16]) end
-- What is beside a mark, or in a Redis of another line, may be newer than history: then it is not archived yet.
if tonumber(ARGV[17]) > tonumber(found[9] or 0) then redis.call('HSET', conversation, 'amendSeq', ARGV[17]) end
local quiet, isKnown = {}, {}
for range in string.gmatch(ARGV[18] .. ',' .. (found[10] or ''), '[^,]+') do
  if not isKnown[range] then quiet[#quiet + 1], isKnown[range] = range, true end
end
while #quiet > mostQuietRanges do table.remove(quiet, 1) end
if #quiet > 0 then redis.call('HSET', conversation, 'quiet', table.concat(quiet, ',')) end
if historyDays ~= '' then
  redis.call('HSET', conversation, 'historyDays', historyDays)
else
  redis.call('HDEL', conversation, 'historyDays')
end
if users ~= '' then
  redis.call('HSET', conversation, 'users', users)
else
  redis.call('HSET', conversation, 'count', count)
end
-- What somebody wrote stays true, whatever line knew of it.
local wrote = ''
for _, one in ipairs({'1', '2'}) do
  if string.find((found[8] or '') .. ARGV[15], one, 1, true) then wrote = wrote .. one end
end
if wrote ~= '' then redis.call('HSET', conversation, 'wrote', wrote) end
if goesOn then return 'installed' end
-- The entry that created a group of another line is still in the stream.
if storedVersion == 0 and (users ~= '' or not found[1]) then
  redis.call('XADD', messages, '*',
    'r', '1 created ' .. id .. ' ' .. createdAt .. ' ' .. service .. ' ' .. version
      .. ' ' .. (users ~= '' and users or '-'),
    't', '{"name":null,"members":[]}')
else
  redis.call('XADD', messages, '*', 'r', '1 renamed ' .. id .. ' ' .. version, 't', '{}')
end
local streamId = redis.call('XADD', messages, '*', 'r', '1 skipped ' .. id .. ' ' .. from .. ' ' .. to, 't', '{}')
redis.call('HINCRBY', slot, 'appended', 2)
return 'installed ' .. streamId
