"""The app whose tables the workloads read and write."""
