"""The .NET types that expressions may use, one module for each family."""
