"""What every page shares: the base page, tables, forms, template tags, navigation. Knows no domain."""
