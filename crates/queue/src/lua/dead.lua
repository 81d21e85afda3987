-- ARGV: generation, the unit before or '', limit.
local rank = ARGV[2] ~= '' and call('ZRANK', DEAD, ARGV[2])
local first = rank and rank + 1 or 0
if ARGV[3] == '0' then
  return {}
end
local answers = {}
for _, unit in ipairs(call('ZRANGE', DEAD, first, first + ARGV[3] - 1)) do
  local found = call('HMGET', UNIT .. unit, 'job', 'pool', 'kind', 'reason', 'evidence', 'worker', 'attempts', 'crashes', 'at')
  if found[1] then
    table.insert(found, 1, unit)
    answers[#answers + 1] = found
  end
end
return answers
