"""What things are: pure, and free of AWS and HTTP."""
