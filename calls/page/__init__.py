"""One call's page beyond its facts: the recording as a picture, remarks of operators, links for people without a log-in.

Doors -> sharing | remarks | drawing -> rows; what is pure (words, redaction, strips) knows nobody.
"""
