"""Services: one folder for each purpose that the city serves. Found by manifest."""
