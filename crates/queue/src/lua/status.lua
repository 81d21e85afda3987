-- ARGV: generation, units.
local answers = {}
for i = 2, #ARGV do
  answers[#answers + 1] = call('HMGET', UNIT .. ARGV[i], 'place', 'worker', 'epoch', 'attempts', 'crashes', 'evictions', 'due', 'kind',
    'reason', 'evidence')
end
return answers
