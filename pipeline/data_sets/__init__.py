"""Preference data sets as the Hugging Face hub serves them, turned into rows of the table `preference`.

A file per data set says which columns it reads and how one of its rows becomes pairs; `known.py` lists them all and
tells by the columns which one a file is. `tables.py` reads files, `gather.py` filters, de-duplicates, splits, counts.
"""
