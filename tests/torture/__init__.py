"""What the tests of safety share: the engine between two worlds in memory, and the rules that are taken out to test the tests."""
