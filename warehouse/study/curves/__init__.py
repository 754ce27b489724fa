"""Curves along strengths and KL: values of policies, NDR, gains, overoptimisation and its fitted laws."""
