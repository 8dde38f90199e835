"""See `shilu.cameras.serve`."""

from shilu.cameras.serve import main

main()
