-- ARGV: generation, then unit, pool, shard, job, payload of each entry.
local answers = {}
local lost = call('EXISTS', FINISHED, CANCELLED) > 0
for i = 2, #ARGV, 5 do
  local unit, pool, shard = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local place = call('HGET', UNIT .. unit, 'place')
  if place then
    answers[#answers + 1] = place == 'dead' and 'dead' or 'known'
  else
    if lost then
      call('ZREM', FINISHED, unit)
      call('ZREM', CANCELLED, unit)
    end
    call('HSET', UNIT .. unit, 'place', 'ready', 'pool', pool, 'shard', shard, 'job', ARGV[i + 3], 'payload', ARGV[i + 4],
      'queued', now, 'epoch', 0, 'attempts', 0, 'crashes', 0, 'evictions', 0, 'entry', enqueue(unit, pool, shard))
    answers[#answers + 1] = 'queued'
  end
end
return answers
