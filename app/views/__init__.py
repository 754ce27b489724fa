"""Pages, one a folder, each a straight line: choose → read → measure → draw. No SQL and no arithmetic here."""
