"""The list of calls: what it is narrowed to, how it is searched, which columns it shows and how it leaves for a spreadsheet."""
