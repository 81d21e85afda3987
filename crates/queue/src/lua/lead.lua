-- ARGV: who, milliseconds.
local key = '@-lead'
local leader = redis.call('HMGET', key, 'who', 'until')
if leader[1] and leader[1] ~= ARGV[1] and tonumber(leader[2]) > now then
  return 0
end
redis.call('HSET', key, 'who', ARGV[1], 'until', now + tonumber(ARGV[2]))
return 1
