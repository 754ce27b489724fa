"""Audit of a test set: which subsets predict, which tell reward models apart, and which items (prompts) are faulty.

METHOD, "Audit of a test set"; docs/audit.md by example. `audit.audited` is the front door.
"""
