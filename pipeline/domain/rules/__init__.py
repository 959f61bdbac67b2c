"""Review rules as data: `book` is their form, `matching` puts them to an order, `active` is the book in effect."""
