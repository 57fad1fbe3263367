"""What a model is told beside the image, and how its answer is read."""
