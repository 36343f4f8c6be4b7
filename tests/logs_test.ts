// Being written by engineer G (full_G.md).
