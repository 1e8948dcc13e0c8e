"""Runs the test suites of other packages with the stock engine and with ours."""
