"""Real clients against the sandbox: what they can do with it is what it can claim. Run by `make compat`."""
