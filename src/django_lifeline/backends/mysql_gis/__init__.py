"""The engine for MySQL and MariaDB with spatial fields."""
