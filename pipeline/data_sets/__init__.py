"""Preference data sets as the Hugging Face hub serves them, turned into rows of the table `preference`.

`texts.py`, `ranked.py`, `conversations.py` and `test_sets.py` say which columns each data set has and how one of its
rows becomes pairs; `known.py` lists them all and recognises by its columns which one a file is. `tables.py` reads
files, `gather.py` filters, de-duplicates, splits and counts, `prompts.py` takes the prompts alone.
"""
