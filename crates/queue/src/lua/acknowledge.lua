-- ARGV: generation, the smallest id to be kept.
return call('XTRIM', EVENTS, 'MINID', ARGV[2])
