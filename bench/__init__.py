"""Everything that measures, simulates or demonstrates the product from outside."""
