"""What is known of an exam: application, seat, identity, paper, sitting, mark and score."""
