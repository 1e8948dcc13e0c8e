"""The application of the lab's programs: tasks, their timeline, prices, documents."""
