-- ARGV: generation, units.
for i = 2, #ARGV do
  local found = look(ARGV[i])
  if found[1] == 'dead' then
    remove(ARGV[i], found)
  end
end
return 1
