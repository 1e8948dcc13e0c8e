"""What the admin page "Connections" shows, and what the processes of a site tell one another."""
