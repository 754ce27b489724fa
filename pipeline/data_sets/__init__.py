"""Preference data sets in every form in which people have them, turned into rows of the table `preference`."""
