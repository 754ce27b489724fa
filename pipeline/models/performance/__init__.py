"""What makes reading and sampling fast where transformers alone is too slow; each module has its reason."""
