-- ARGV: fresh generation, cursor. Answers the generation, or '' and the cursor of the next call: what an earlier life left behind goes first.
local generation = redis.call('GET', KEYS[1])
if generation then
  return {generation, ''}
end
local page = redis.call('SCAN', ARGV[2], 'MATCH', '@:*', 'COUNT', 1000)
for _, key in ipairs(page[2]) do
  redis.call('UNLINK', key)
end
if page[1] ~= '0' then
  return {'', page[1]}
end
redis.call('SET', KEYS[1], ARGV[1])
return {ARGV[1], ''}
