"""What takes minutes: `make test-all` has it, `make test` does not."""
