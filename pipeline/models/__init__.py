"""The only code of the project that imports torch and transformers."""
