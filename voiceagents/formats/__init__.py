"""How days and times are written in a language whose own formats in Django are not those of the console. Settings name this place."""
