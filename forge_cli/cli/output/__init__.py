"""What is shown: text made safe and coloured, JSON laid out, message heads."""
