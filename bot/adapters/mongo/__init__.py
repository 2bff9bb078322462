"""State in MongoDB, through motor; nothing outside this folder knows its driver."""
