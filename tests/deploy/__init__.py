"""The compose file and the image: held to the specification, and run on this machine's own programs."""
