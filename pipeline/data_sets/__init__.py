"""Preference data sets as the Hugging Face hub serves them, turned into rows of the table `preference`."""
