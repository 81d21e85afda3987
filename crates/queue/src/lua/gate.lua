-- No answer without the generation, or for one that is gone.
local generation = redis.call('GET', KEYS[1])
if not generation or (ARGV[1] ~= '' and ARGV[1] ~= generation) then
  return redis.error_reply('VENTRAL_LOST the queue was emptied')
end
