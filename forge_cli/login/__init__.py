"""What a profile's auth can say, and how it is carried out."""
