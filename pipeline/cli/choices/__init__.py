"""What `righttree choose` prints: by what policies are worth or by a measure, and by an outcome, as text or JSON."""
