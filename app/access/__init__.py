"""How pages reach results: cached reads of the warehouse, tables that pages share, and signing in."""
