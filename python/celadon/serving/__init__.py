"""A process that serves: the application, its hooks, its signals and its end."""
