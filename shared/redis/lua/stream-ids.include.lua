-- For scripts that compare ids of stream entries. Never compare them as one number: it cannot hold both parts
-- exactly.
local function idParts(id)
  local dash = string.find(id, '-', 1, true)
  return tonumber(string.sub(id, 1, dash - 1)), tonumber(string.sub(id, dash + 1))
end
local function isBelow(one, other)
  local oneMs, oneSeq = idParts(one)
  local otherMs, otherSeq = idParts(other)
  return oneMs < otherMs or (oneMs == otherMs and oneSeq < otherSeq)
end
