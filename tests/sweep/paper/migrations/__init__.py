"""The first migration makes the tables, the second one is a workload."""
