"""Breaks the running product on purpose and counts what was lost. A room of its own because it judges right and wrong where `bench` judges
quick and slow, and because it kills what it starts.

It must never lean on a hook in the product: it holds requests on the wire and transactions in the database, and kills processes.
"""
