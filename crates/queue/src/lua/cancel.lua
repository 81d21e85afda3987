-- ARGV: generation, units.
for i = 2, #ARGV do
  local found = look(ARGV[i])
  if found[1] then
    remove(ARGV[i], found, CANCELLED)
  end
end
return 1
