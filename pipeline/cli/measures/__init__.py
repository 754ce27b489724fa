"""What `righttree measure` prints: against NDR as text, and against an outcome as text or JSON."""
