"""What the function reference defers to .NET for: instants, date and number formats, cultures."""
