"""The documents hold what they say: commands, links, tables and procedures in them are tried on the code itself."""
