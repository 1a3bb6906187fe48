-- For scripts that must apply something once which a client names by a clientId: the partition's pool of known
-- clientIds.
--
-- The pool is a sequence of numbered parts, of which two are kept: the one being written, and the one before it. A part
-- is written for DEDUPE_MINUTES, so an entry lasts at least that long and at most about twice as long. Turning to the
-- next part drops the one two back. Entries have no expiry of their own: Redis expires keys by its wall clock.
--   <base>sent:<part>:<0-31>, by sender
--       "<sender> <conversation> <clientId>" -> "<fingerprint> <seq> <stream id> [at]", of a send; `*` is any
--       fingerprint (fingerprints.ts)
--       -> "<fingerprint> <amendSeq> <stream id> <at> <version> <by>", of an amend
-- The slot's field `sent` is the state of the pool: "<part> <first> <mark> <spent> <before> <line>"
--   first    the part in which the line began after a loss (0 = none). While it is being written, loading a
--            conversation refills the pool.
--   mark     names the moment up to which the part's time is counted
--   spent    how long the part was written (ms)
--   before   how long before this part the pool knows everything (ms)
--
-- Time is counted by what callers witness, never read from a wall clock. The clock of Redis may be set at any moment,
-- and a script cannot tell a leap of three hours from three hours without traffic. A pool by that clock would either
-- drop what is still promised or never drop anything. A gateway has a monotonic clock: it hears the mark with a reply,
-- and its later calls say how long it has known it. That is never longer than the mark has stood, so a part never
-- counts more time than has passed. Only knowledge of the current mark counts: time seen since an older mark may be
-- counted already. After a pause, the first call of a gateway that was there before counts the pause. A new gateway
-- witnesses nothing, and parts then last longer.
-- Checked with an explicit-state model (test/model/sent-pool.test.ts).
--
-- Version 0.1.0 named its parts by the clock, the newest in the field `bucket`. They are searched as well, until both
-- current parts were begun by this version.
local sentHashes = 32
-- A clientId may have been made this much ahead of the server's clock (ms).
local clockSkew = 300000

-- Returns the state of the pool. Reads nothing: the caller has read the slot's fields.
local function openSentPool(base, dedupeMs, now, line, complete, since, stored, bucket)
  local part, first, mark, spent, before, of = string.match(stored or '', '^(%d+) (%d+) (%d+) (%d+) (%d+) (.+)$')
  local pool = {base = base, dedupeMs = dedupeMs, now = now, line = line, isNew = of ~= line,
    bucket = tonumber(bucket)}
  pool.part = tonumber(part) or 1
  if not pool.isNew then
    pool.first, pool.mark, pool.spent, pool.before = tonumber(first), mark, tonumber(spent), tonumber(before)
  else
    pool.first, pool.mark, pool.spent = 0, string.format('%.0f', now), 0
    local older = pool.bucket and (pool.bucket - 1) * dedupeMs
    if complete == '1' then
      pool.before = math.max(0, now - (older or 0))
    elseif older and older > since then
      pool.before = math.max(0, now - older)
    else
      pool.first, pool.before = pool.part, dedupeMs + clockSkew
    end
  end
  pool.current = base .. 'sent:' .. pool.part .. ':'
  pool.previous = pool.part > 1 and base .. 'sent:' .. (pool.part - 1) .. ':'
  return pool
end

-- Returns the number of a sender's hash, as text.
local hashTexts = {}
local function sentHash(sender)
  local hash = (string.byte(sender, 1) * 7 + string.byte(sender, -1) * 3 + #sender) % sentHashes
  local text = hashTexts[hash]
  if not text then
    text = string.format('%d', hash)
    hashTexts[hash] = text
  end
  return text
end

-- Returns the entry of a field in the hash of its sender, false if there is none.
local call = redis.call
local function findSent(pool, hash, field)
  local previous, bucket = pool.previous, pool.bucket
  return call('HGET', pool.current .. hash, field) or (previous and call('HGET', previous .. hash, field))
    or (bucket and (call('HGET', pool.base .. 'sent:' .. bucket .. ':' .. hash, field)
      or call('HGET', pool.base .. 'sent:' .. bucket - 1 .. ':' .. hash, field)))
end

-- Returns a time (ms): if the clock is right, everything accepted then or later is in the pool.
local function sentKnownFrom(pool)
  return pool.now - pool.spent - pool.before
end

local function dropSentPart(pool, part)
  local keys = {}
  for i = 0, sentHashes - 1 do keys[i + 1] = pool.base .. 'sent:' .. part .. ':' .. i end
  redis.call('UNLINK', unpack(keys))
end

-- Call it after a write to the pool. Counts the part's time, and turns to the next part when this one's time is over.
-- `mark` and `heldMs` are the mark that the caller knows, and for how long. Returns the mark from now on.
local function countSentPool(pool, slot, mark, heldMs)
  local counts = mark == pool.mark and heldMs >= pool.dedupeMs / 64
  if counts then
    pool.spent, pool.mark = pool.spent + heldMs, string.format('%.0f', pool.now)
    if pool.spent >= pool.dedupeMs then
      pool.part, pool.before, pool.spent = pool.part + 1, pool.spent, 0
      dropSentPart(pool, pool.part - 2)
      if pool.bucket and pool.part > 2 then
        dropSentPart(pool, pool.bucket)
        dropSentPart(pool, pool.bucket - 1)
        redis.call('HDEL', slot, 'bucket')
      end
    end
  end
  if counts or pool.isNew then
    redis.call('HSET', slot, 'sent', string.format('%.0f %.0f %s %.0f %.0f %s',
      pool.part, pool.first, pool.mark, pool.spent, pool.before, pool.line))
  end
  return pool.mark
end
