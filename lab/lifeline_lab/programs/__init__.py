"""The programs that the lab runs, each as a user would write it."""
