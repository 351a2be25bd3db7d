"""What tasks take, which is started next, and whether it is completed in time."""
