"""Pages of a learner."""
