"""Parts of pages: each module draws one thing with `show(...)` and returns what the user made of it, if anything."""
