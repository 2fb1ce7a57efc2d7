-- Tries what a guard does in Redis, in ways that change nothing, and tells what its user may not do and what the server evicts.
--
-- KEYS[1]     a key that nothing else has
-- KEYS[2]     unless Redis is known to be a cluster, another in another slot: a node of one refuses the two
-- ARGV[1]     a channel on which nobody listens
-- reply       two lines: the commands that are forbidden, or forbidden for that key or channel, with spaces between; and
--             maxmemory-policy, or nothing where INFO is forbidden

local key, channel = KEYS[1], ARGV[1]

local TRIES = {
  { 'TIME' },
  { 'MGET', key },
  { 'EXISTS', key },
  { 'SET', key, '', 'PX', '0' }, -- an expiry that is refused
  { 'DEL', key },
  { 'ZADD', key, 'no score', '' },
  { 'ZREM', key, '' },
  { 'ZCOUNT', key, '0', '0' },
  { 'ZSCORE', key, '' },
  { 'ZRANGEBYSCORE', key, '0', '0' },
  { 'PEXPIRE', key, 'no time' },
  { 'PUBLISH', channel, '' },
}

-- As Redis 6.2 and 7.2 begin it, and as 7.0 has it.
local function isForbidden(reply)
  local failure = type(reply) == 'table' and reply.err
  return failure and (string.find(failure, 'NOPERM', 1, true) or string.find(failure, 'The user executing the script', 1, true))
end

local forbidden = {}
for _, try in ipairs(TRIES) do
  if isForbidden(redis.pcall(unpack(try))) then
    forbidden[#forbidden + 1] = try[1]
  end
end

local memory = redis.pcall('INFO', 'memory')
local policy = type(memory) == 'string' and string.match(memory, 'maxmemory_policy:(%S+)')
return table.concat(forbidden, ' ') .. '\n' .. (policy or '')
