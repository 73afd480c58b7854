"""What is known of people, organisations, courses, classes, class hours and training records."""
