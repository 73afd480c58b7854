"""What is known of exam items: their revisions, review, blueprints and import."""
