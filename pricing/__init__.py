"""What things cost: money as Decimal with its currency, and a price list with sources. No Django, no rows."""
