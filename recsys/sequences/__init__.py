"""Songs in the order in which a DJ would play them: the next song, and whole tracklists."""
